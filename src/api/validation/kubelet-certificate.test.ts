import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CertificateNames, kubeletClientProblem, kubeletServingProblem } from './kubelet-certificate.ts';

const names: CertificateNames = {
  commonName: 'system:node:n1',
  organizations: ['system:nodes'],
  dnsNames: [],
  emailAddresses: [],
  ips: [],
  uris: [],
};
const clientUsages = ['key encipherment', 'digital signature', 'client auth'];
const servingUsages = ['key encipherment', 'digital signature', 'server auth'];
const serving: Partial<CertificateNames> = { dnsNames: ['n1'] };

type Case = readonly [what: string, change: Partial<CertificateNames>, usages: readonly string[], problem: string | undefined];

const organization = 'subject organization is not system:nodes';
const commonName = 'subject common name does not begin with system:node:';

const clientCases: readonly Case[] = [
  ['of a node is fine', {}, clientUsages, undefined],
  ['without key encipherment is fine', {}, clientUsages.slice(1), undefined],
  ['of no group is none', { organizations: [] }, clientUsages, organization],
  ['of another group is none', { organizations: ['system:masters'] }, clientUsages, organization],
  ['of a group more is none', { organizations: ['system:nodes', 'system:masters'] }, clientUsages, organization],
  ['of another user is none', { commonName: 'jane' }, clientUsages, commonName],
  ['with a DNS name is none', { dnsNames: ['a'] }, clientUsages, 'DNS subjectAltNames are not allowed'],
  ['with an address of mail is none', { emailAddresses: ['a@b'] }, clientUsages, 'Email subjectAltNames are not allowed'],
  ['with an IP address is none', { ips: ['192.0.2.1'] }, clientUsages, 'IP subjectAltNames are not allowed'],
  ['with a URI is none', { uris: ['a:b'] }, clientUsages, 'URI subjectAltNames are not allowed'],
  ['to serve with is none', {}, servingUsages, 'usages did not match [client auth digital signature key encipherment]'],
  ['that does not sign is none', {}, ['client auth'], 'usages did not match [client auth digital signature key encipherment]'],
  ['for more is none', {}, [...clientUsages, 'cert sign'], 'usages did not match [client auth digital signature key encipherment]'],
  ['wrong in all is told the first of it', { organizations: [], dnsNames: ['a'], commonName: '' }, [], organization],
  ['wrong in name and usages is told the name', { commonName: '' }, [], commonName],
];

const usagesProblem = 'usages did not match [digital signature key encipherment server auth]';
const servingCases: readonly Case[] = [
  ['with a DNS name is fine', serving, servingUsages, undefined],
  ['with an address alone is fine', { ips: ['192.0.2.1'] }, servingUsages.slice(1), undefined],
  ['without any name is none', {}, servingUsages, 'DNS or IP subjectAltName is required'],
  ['of another group is none', { ...serving, organizations: ['a'] }, servingUsages, organization],
  ['with an address of mail is none', { ...serving, emailAddresses: ['a@b'] }, servingUsages, 'Email subjectAltNames are not allowed'],
  ['with a URI is none', { ...serving, uris: ['a:b'] }, servingUsages, 'URI subjectAltNames are not allowed'],
  ['for a client is none', serving, clientUsages, usagesProblem],
  ['of another user is none', { ...serving, commonName: 'n1' }, servingUsages, commonName],
  ['wrong in name and usages is told the usages', { ...serving, commonName: '' }, [], usagesProblem],
];

describe("a kubelet's client certificate", () => {
  for (const [what, change, usages, problem] of clientCases)
    test(what, () => assert.equal(kubeletClientProblem({ ...names, ...change }, usages), problem));
});

describe('the certificate that a kubelet serves with', () => {
  for (const [what, change, usages, problem] of servingCases)
    test(what, () => assert.equal(kubeletServingProblem({ ...names, ...change }, usages), problem));
});

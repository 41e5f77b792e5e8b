/**
 * What is accepted and what is refused, compared with kube-apiserver: dry-run creates of whole objects and of seeded mutants of them.
 * FAIRLEAD_FACTS names a folder with golden objects of upstream's round-trip tests (`golden-1.35/*.json`), FAIRLEAD_SEED another seed,
 * FAIRLEAD_MUTANTS how many mutants of one object; FAIRLEAD_REPORT a file for all differences, those of fields and warnings too.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { Registry } from '../../src/api/registry/registry.ts';
import { type KubeObject, pathOf } from '../../src/api/resource-types.ts';
import { mutantsOf } from '../../src/apiserver/testing/mutants.ts';
import { TestServer } from '../../src/apiserver/testing/test-server.ts';
import { seededRandom } from '../../src/clock/testing/seeded-random.ts';
import { explanationOf } from './testing/explained-answers.ts';
import { type Json, KubeApiServer } from './testing/kube-apiserver.ts';
import { lacksProgram } from './testing/programs.ts';

const registry = new Registry();

/** One request and both answers, shortened to what is compared. */
interface Comparison {
  readonly kind: string;
  readonly what: string;
  readonly theirs: Verdict;
  readonly ours: Verdict;
}

interface Verdict {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly fields: string;
  readonly warnings: string;
}

const seed = Number(process.env.FAIRLEAD_SEED ?? 35);
const mutants = Number(process.env.FAIRLEAD_MUTANTS ?? 75);
const golden = join(process.env.FAIRLEAD_FACTS ?? '', 'golden-1.35');
const samples = join(import.meta.dirname, 'testing', 'valid-objects.yaml');

/** Objects that are created and stored, of kinds that both servers have. */
function objectsOf(): KubeObject[] {
  const valid = parseAllDocuments(readFileSync(samples, 'utf8')).map((document) => document.toJS());
  const files = process.env.FAIRLEAD_FACTS && existsSync(golden) ? readdirSync(golden).filter((name) => name.endsWith('.json')) : [];
  // An expression that is none would hide all else of a DeviceClass.
  const textOf = (name: string): string => readFileSync(join(golden, name), 'utf8').replaceAll('"expressionValue"', '"true"');
  const given = files.map((name) => JSON.parse(textOf(name)));
  return [...valid, ...given.map(placed)].filter((object) => {
    const row = registry.rowOfKind(object.apiVersion, object.kind);
    return row?.storedAs !== undefined && row.verbs.includes('create');
  });
}

/** The golden objects say nonsense everywhere; what all kinds have in common must make sense, or it hides the rest. */
function placed(object: Json): Json {
  const {
    resourceVersion: _version,
    namespace: _namespace,
    generateName: _prefix,
    managedFields: _fields,
    ...metadata
  } = object.metadata ?? {};
  return { ...object, metadata: { ...metadata, name: 'golden', finalizers: ['example.com/hold'] } };
}

/** A request at which kube-apiserver panics loses its connection: status 0. */
function noAnswer(err: NodeJS.ErrnoException): { status: number; body: Json; warning: undefined } {
  if (err.code !== 'ECONNRESET') throw err;
  return { status: 0, body: {}, warning: undefined };
}

function verdict(status: number, body: Json, warning: unknown): Verdict {
  const { reason = '', message = '', details } = body?.status === 'Failure' ? body : {};
  const fields = [...new Set((details?.causes ?? []).map(({ field }: Json) => field))].toSorted().join(' ');
  return { status, reason, message, fields, warnings: warningsOf(warning) };
}

function warningsOf(header: unknown): string {
  return [...String(header ?? '').matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)]
    .map(([, text]) => text)
    .toSorted()
    .join('; ');
}

function line({ kind, what, theirs, ours }: Comparison): string {
  const said = ({ status, reason, message, fields, warnings }: Verdict): string =>
    `${status} ${reason} [${fields}] ${warnings && `W: ${warnings} `}${message.slice(0, 300)}`;
  return `${kind} ${what}\n    theirs: ${said(theirs)}\n    ours:   ${said(ours)}`;
}

const skip = lacksProgram('etcd', 'kube-apiserver');

describe('validation beside kube-apiserver', { skip }, () => {
  let ours: TestServer;
  let theirs: KubeApiServer;

  before(async () => {
    theirs = await KubeApiServer.start();
    ours = await TestServer.start();
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' }, automountServiceAccountToken: false };
    // Pods of mutants name them, and kube-apiserver is not asked whether they are there.
    for (const name of ['default', 'zzz']) {
      for (const server of [theirs, ours]) {
        await server.call('POST', '/api/v1/namespaces/default/serviceaccounts', { ...account, metadata: { name } });
      }
    }
  });

  after(async () => {
    await ours?.stop();
    await theirs?.[Symbol.asyncDispose]();
  });

  async function compared(object: KubeObject, what: string, body: Json): Promise<Comparison> {
    const { type } = registry.rowOfKind(object.apiVersion, object.kind)!;
    const path = `${pathOf(type, 'default')}?dryRun=All`;
    const [a, b] = await Promise.all([theirs.call('POST', path, body).catch(noAnswer), ours.call('POST', path, body)]);
    return {
      kind: `${object.apiVersion} ${object.kind}`,
      what: `${object.metadata.name} ${what}`,
      theirs: verdict(a.status, a.body, a.warning),
      ours: verdict(b.status, b.body, b.headers.warning),
    };
  }

  test('objects and their mutants get the same answers, but for what is explained', async (t) => {
    const random = seededRandom(seed);
    const all: Comparison[] = [];
    for (const object of objectsOf()) {
      const cases = [{ what: 'whole', body: object as Json }, ...mutantsOf(object, random, mutants)];
      for (const { what, body } of cases) all.push(await compared(object, what, body));
    }
    const differing = all.filter((one) => one.theirs.status !== one.ours.status || one.theirs.reason !== one.ours.reason);
    const unexplained = differing.filter((one) => explanationOf(one) === undefined);
    const rate = (100 * differing.length) / all.length;
    t.diagnostic(
      `seed ${seed}: ${all.length} answers, ${differing.length} differ (${rate.toFixed(2)} %), ${unexplained.length} unexplained`,
    );
    if (process.env.FAIRLEAD_REPORT) {
      const fields = all.filter((one) => !differing.includes(one) && one.theirs.fields !== one.ours.fields);
      const warnings = all.filter(
        (one) => one.theirs.status === 201 && one.ours.status === 201 && one.theirs.warnings !== one.ours.warnings,
      );
      const parts = { UNEXPLAINED: unexplained, DIFFERING: differing, WARNINGS: warnings, FIELDS: fields };
      const text = Object.entries(parts).map(([name, list]) => `==== ${name} ${list.length}\n${list.map(line).join('\n')}`);
      writeFileSync(process.env.FAIRLEAD_REPORT, `${text.join('\n')}\n`);
    }
    assert.deepEqual(unexplained.map(line), [], `${unexplained.length} of ${all.length} answers differ`);
    assert.ok(differing.length <= Math.max(10, all.length / 500), `${rate} % of the answers differ`);
  });

  interface Refused {
    readonly method: string;
    /** Below the namespace default, or from the root. */
    readonly path: string;
    readonly body?: (stored: Json) => Json;
  }
  const core = '/api/v1/namespaces/default';
  const bad = { metadata: { labels: { '-': 'x' } } };
  const merged = (stored: Json, metadata: object, more: object = {}): Json => ({
    ...stored,
    ...more,
    metadata: { ...stored.metadata, ...metadata },
  });
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'there' }, spec: { ports: [{ port: 80 }], selector: { a: 'b' } } };
  const budget = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
  /** Each has two things wrong: which one is told? */
  const twofold: Readonly<Record<string, Refused>> = {
    'a create of what is there, invalid': {
      method: 'POST',
      path: `${core}/services`,
      body: () => ({ ...service, ...bad, metadata: { name: 'there', ...bad.metadata } }),
    },
    'a create of what is there, valid': { method: 'POST', path: `${core}/services`, body: () => service },
    'a create of what is there, with a taken port': {
      method: 'POST',
      path: `${core}/services`,
      body: () => ({ ...service, spec: { ...service.spec, clusterIP: '10.96.0.1' } }),
    },
    'a create with a version, invalid': {
      method: 'POST',
      path: `${core}/configmaps`,
      body: () => ({ metadata: { name: 'x', resourceVersion: '1', ...bad.metadata } }),
    },
    'a create in no namespace, invalid': {
      method: 'POST',
      path: '/api/v1/namespaces/nowhere/configmaps',
      body: () => ({ metadata: { name: 'x', ...bad.metadata } }),
    },
    'an update of an old version, invalid': {
      method: 'PUT',
      path: `${core}/services/there`,
      body: (o) => merged(o, { resourceVersion: '1', ...bad.metadata }),
    },
    'an update of another object, invalid': {
      method: 'PUT',
      path: `${core}/services/there`,
      body: (o) => merged(o, { uid: 'other', ...bad.metadata }),
    },
    'an update of another object and an old version': {
      method: 'PUT',
      path: `${core}/services/there`,
      body: (o) => merged(o, { uid: 'other', resourceVersion: '1' }),
    },
    'an update under another name, invalid': {
      method: 'PUT',
      path: `${core}/services/there`,
      body: (o) => merged(o, { name: 'other', ...bad.metadata }),
    },
    'an update under another name, of an old version': {
      method: 'PUT',
      path: `${core}/services/there`,
      body: (o) => merged(o, { name: 'other', resourceVersion: '1' }),
    },
    'an update in another namespace, of an old version': {
      method: 'PUT',
      path: `${core}/services/there`,
      body: (o) => merged(o, { namespace: 'other', resourceVersion: '1' }),
    },
    'an update without a version where it needs one, invalid': {
      method: 'PUT',
      path: `${budget}/there`,
      body: (o) => merged(o, { resourceVersion: undefined, ...bad.metadata }),
    },
    'an update without a version where it needs one, of another object': {
      method: 'PUT',
      path: `${budget}/there`,
      body: (o) => merged(o, { resourceVersion: undefined, uid: 'other' }),
    },
    'an update of what is not there, invalid': {
      method: 'PUT',
      path: `${core}/configmaps/missing`,
      body: () => ({ metadata: { name: 'missing', ...bad.metadata } }),
    },
    'an update of what is not there, with a version': {
      method: 'PUT',
      path: `${core}/configmaps/missing`,
      body: () => ({ metadata: { name: 'missing', resourceVersion: '1' } }),
    },
    'an update that may create, invalid, with a version': {
      method: 'PUT',
      path: `${core}/endpoints/missing`,
      body: () => ({ metadata: { name: 'missing', resourceVersion: '1', ...bad.metadata } }),
    },
    'an update that may create, with a version': {
      method: 'PUT',
      path: `${core}/endpoints/missing`,
      body: () => ({ metadata: { name: 'missing', resourceVersion: '1' } }),
    },
    'an update of a fixed field, of an old version': {
      method: 'PUT',
      path: `${core}/services/there`,
      body: (o) => merged(o, { resourceVersion: '1' }, { spec: { ...o.spec, clusterIP: '10.96.0.99', clusterIPs: ['10.96.0.99'] } }),
    },
    'a status of an old version, invalid': {
      method: 'PUT',
      path: `${core}/services/there/status`,
      body: (o) => merged(o, { resourceVersion: '1', ...bad.metadata }),
    },
    'a patch of an old version, invalid': {
      method: 'PATCH',
      path: `${core}/services/there`,
      body: () => ({ metadata: { resourceVersion: '1', ...bad.metadata } }),
    },
    'a patch of another object, invalid': {
      method: 'PATCH',
      path: `${core}/services/there`,
      body: () => ({ metadata: { uid: 'other', ...bad.metadata } }),
    },
    'a patch of what is not there, invalid': { method: 'PATCH', path: `${core}/services/missing`, body: () => bad },
    'a deletion of an old version and another object': {
      method: 'DELETE',
      path: `${core}/services/there`,
      body: () => ({ preconditions: { uid: 'other', resourceVersion: '1' } }),
    },
    'a deletion of what is not there, with a policy that is none': {
      method: 'DELETE',
      path: `${core}/services/missing`,
      body: () => ({ propagationPolicy: 'No' }),
    },
  };

  test('of two things that are wrong the same one is told', async () => {
    for (const server of [theirs, ours]) {
      await server.call('POST', `${core}/services`, service);
      await server.call('POST', budget, {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'there' },
        spec: { minAvailable: 1 },
      });
    }
    const told: Record<string, unknown> = {};
    const wanted: Record<string, unknown> = {};
    for (const [what, { method, path, body }] of Object.entries(twofold)) {
      for (const [server, into] of [
        [theirs, wanted],
        [ours, told],
      ] as const) {
        const stored = (await server.call('GET', path.replace(/\/status$/, ''))).body;
        const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
        const answer = await server.call(method, `${path}?dryRun=All`, body?.(stored), { type });
        into[what] = [answer.status, answer.body?.reason ?? ''];
      }
    }
    assert.deepEqual(told, wanted);
  });
});

/** Kubernetes' authorizer: who may do what, as k8s.io/apiserver/pkg/cel/library/authz.go. */
import type { Environment } from '@marcbachmann/cel-js';
import { isDns1123Label, isDns1123Subdomain } from '../../validation/names.ts';
import { charge, RuleError } from '../meter.ts';
import { register } from './register.ts';

/** Who is asked about. */
export interface Subject {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** What is asked about: a path, or a resource; empty where there is nothing. */
export interface Access {
  readonly path: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly fieldSelector: string;
  readonly labelSelector: string;
}

export interface AccessDecision {
  readonly allowed: boolean;
  readonly reason: string;
}

/** Answers at once, and does not throw. */
export type Authorize = (subject: Subject, verb: string, access: Access) => AccessDecision;

const nothing: Access = {
  path: '',
  group: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  fieldSelector: '',
  labelSelector: '',
};
/** Upstream's 350,000, in the measure of our limits. */
const checkCost = 140_000;

export class AuthorizerValue {
  readonly subject: Subject;
  readonly authorize: Authorize;
  /** Of the request. */
  readonly requestResource: ResourceCheck;

  constructor(subject: Subject, authorize: Authorize, requested: Partial<Access> = {}) {
    this.subject = subject;
    this.authorize = authorize;
    this.requestResource = new ResourceCheck(this, { ...nothing, ...requested });
  }

  group(group: string): GroupCheck {
    return new GroupCheck(this, { ...nothing, group });
  }

  path(path: string): PathCheck {
    return new PathCheck(this, { ...nothing, path: filled(path, 'path') });
  }

  serviceAccount(namespace: string, name: string): AuthorizerValue {
    if (isDns1123Subdomain(name).length > 0) throw new RuleError('Invalid service account name');
    if (isDns1123Label(namespace).length > 0) throw new RuleError('Invalid service account namespace');
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
    return new AuthorizerValue({ name: `system:serviceaccount:${namespace}:${name}`, groups }, this.authorize);
  }
}

/** A question that is not yet asked. */
class Question {
  readonly authorizer: AuthorizerValue;
  readonly access: Access;

  constructor(authorizer: AuthorizerValue, access: Access) {
    this.authorizer = authorizer;
    this.access = access;
  }

  check(verb: string): Decision {
    charge(checkCost);
    const { subject, authorize } = this.authorizer;
    const { allowed, reason } = authorize(subject, verb, this.access);
    return new Decision(allowed, reason);
  }
}

class PathCheck extends Question {}

class GroupCheck extends Question {
  resource(resource: string): ResourceCheck {
    return new ResourceCheck(this.authorizer, { ...this.access, resource: filled(resource, 'resource') });
  }
}

class ResourceCheck extends Question {
  with(key: keyof Access, value: string): ResourceCheck {
    return new ResourceCheck(this.authorizer, { ...this.access, [key]: value });
  }
}

class Decision {
  readonly allowed: boolean;
  readonly reason: string;

  constructor(allowed: boolean, reason: string) {
    this.allowed = allowed;
    this.reason = reason;
  }
}

function filled(text: string, what: string): string {
  if (text.trim() === '') throw new RuleError(`${what} must not be empty`);
  return text;
}

export const authorizerType = 'kubernetes.authorization.Authorizer';

export function registerAuthorization(environment: Environment): void {
  const of = (kind: string): string => `kubernetes.authorization.${kind}`;
  const [path, group, resource, decision] = ['PathCheck', 'GroupCheck', 'ResourceCheck', 'Decision'].map(of);
  environment.registerType(path as string, PathCheck as never);
  environment.registerType(group as string, GroupCheck as never);
  environment.registerType(resource as string, ResourceCheck as never);
  environment.registerType(decision as string, Decision as never);
  environment.registerType({ name: authorizerType, ctor: AuthorizerValue, fields: { requestResource: resource } } as never);
  const add = register(environment);
  add(`${authorizerType}.path(string): ${path}`, (one: AuthorizerValue, text: string) => one.path(text));
  add(`${authorizerType}.group(string): ${group}`, (one: AuthorizerValue, name: string) => one.group(name));
  add(`${authorizerType}.serviceAccount(string, string): ${authorizerType}`, (one: AuthorizerValue, namespace: string, name: string) =>
    one.serviceAccount(namespace, name),
  );
  add(`${group}.resource(string): ${resource}`, (one: GroupCheck, name: string) => one.resource(name));
  for (const key of ['subresource', 'namespace', 'name', 'fieldSelector', 'labelSelector'] as const)
    add(`${resource}.${key}(string): ${resource}`, (one: ResourceCheck, value: string) => one.with(key, value));
  for (const question of [path, resource]) add(`${question}.check(string): ${decision}`, (one: Question, verb: string) => one.check(verb));
  add(`${decision}.allowed(): bool`, (one: Decision) => one.allowed);
  add(`${decision}.reason(): string`, (one: Decision) => one.reason);
  // Authorization does not fail here.
  add(`${decision}.errored(): bool`, () => false);
  add(`${decision}.error(): string`, () => '');
}

/** The types of what expressions of admission may name, as k8s.io/apiserver/pkg/admission/plugin/cel/compile.go declares them. */
import type { Declarations } from '../declare.ts';
import { type Declared, dynamicFrom, type Field, timestampFrom } from '../values.ts';

const text: Declared = { name: 'string', of: dynamicFrom };
const whole: Declared = { name: 'int', of: dynamicFrom };
const truth: Declared = { name: 'bool', of: dynamicFrom };
const time: Declared = { name: 'google.protobuf.Timestamp', of: timestampFrom };
const any: Declared = { name: 'dyn', of: dynamicFrom };
const texts: Declared = { name: 'list<string>', of: dynamicFrom };
const textByName: Declared = { name: 'map<string, string>', of: dynamicFrom };
const textsByName: Declared = { name: 'map<string, list<string>>', of: dynamicFrom };

/** The fields of an object in the words of the API are those of the expression. */
function fieldsOf(fields: Readonly<Record<string, Declared>>): ReadonlyMap<string, Field> {
  return new Map(Object.entries(fields).map(([name, declared]) => [name, { name, declared }]));
}

export interface AdmissionTypes {
  readonly request: Declared;
  readonly namespaceObject: Declared;
}

export function declareAdmission(declarations: Declarations): AdmissionTypes {
  return { request: declareRequest(declarations), namespaceObject: declareNamespace(declarations) };
}

function declareRequest(declarations: Declarations): Declared {
  const named = (name: string, fields: Readonly<Record<string, Declared>>): Declared =>
    declarations.named(`kubernetes.${name}`, fieldsOf(fields));
  const kind = named('GroupVersionKind', { group: text, version: text, kind: text });
  const resource = named('GroupVersionResource', { group: text, version: text, resource: text });
  const userInfo = named('UserInfo', { username: text, uid: text, groups: texts, extra: textsByName });
  return named('AdmissionRequest', {
    ...{ kind, resource, subResource: text, requestKind: kind, requestResource: resource, requestSubResource: text },
    ...{ name: text, namespace: text, operation: text, userInfo, dryRun: truth, options: any },
  });
}

function declareNamespace(declarations: Declarations): Declared {
  const named = (name: string, fields: Readonly<Record<string, Declared>>): Declared =>
    declarations.named(`kubernetes.${name}`, fieldsOf(fields));
  const condition = named('NamespaceCondition', { status: text, type: text, lastTransitionTime: time, message: text, reason: text });
  const conditions: Declared = {
    name: `list<${condition.name}>`,
    of: (json) => (Array.isArray(json) ? json.map(condition.of) : []),
  };
  const metadata = named('NamespaceMetadata', {
    ...{ name: text, generateName: text, namespace: text, labels: textByName, annotations: textByName, UID: text },
    ...{ creationTimestamp: time, deletionGracePeriodSeconds: whole, deletionTimestamp: time, generation: whole },
    ...{ resourceVersion: text, finalizers: texts },
  });
  const spec = named('NamespaceSpec', { finalizers: texts });
  const status = named('NamespaceStatus', { conditions, phase: text });
  return named('Namespace', { metadata, spec, status });
}

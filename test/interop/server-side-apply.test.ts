/** Server-side apply, compared write by write with kube-apiserver: answers, objects, and who owns which field. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestServer } from '../../src/apiserver/testing/test-server.ts';
import { type Scenario, type Step, scenarios } from './testing/apply-scenarios.ts';
import { type Answer, type Json, KubeApiServer } from './testing/kube-apiserver.ts';
import { lacksProgram } from './testing/programs.ts';

interface Server {
  call(method: string, path: string, body?: object, options?: { readonly type?: string }): Promise<Answer>;
}

/** Each server's own, and what it writes without having been given it. */
const passedOver = new Set([
  ...['uid', 'creationTimestamp', 'resourceVersion', 'time', 'lastTransitionTime', 'lastUpdateTime'],
  ...['nodeInfo', 'daemonEndpoints'],
]);

/** Without that, and without what is empty: Go writes null for a list and {} for a struct that is not there. */
function comparable(value: Json): Json {
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !passedOver.has(key))
      .map(([key, inner]) => [
        key,
        key === 'managedFields' ? byName(inner as Json[]) : key === 'message' ? words(inner) : comparable(inner),
      ])
      .filter(([, inner]) => !isBlank(inner)),
  );
}

function isBlank(value: Json): boolean {
  return value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
}

/** The order of managers is that of their times. */
function byName(entries: Json[]): Json {
  return Object.fromEntries(
    entries.map(({ manager, operation, subresource = '', time: _time, ...entry }) => {
      // Theirs has a status from the start, with much in it that says nothing.
      delete entry.fieldsV1['f:status']?.['.'];
      return [`${manager} ${operation} ${subresource}`, entry];
    }),
  );
}

/** Without values: theirs have the names of Go's fields, and for a patch all that it has made. What a decoder says of a wrong type is its own. */
function words(message: Json): Json {
  if (typeof message !== 'string') return message;
  return message
    .replace(/((?:^ "" is invalid: patch: )?Invalid value: )"(?:[^"\\]|\\.)*": (?:(strict decoding error: .*)|.*)$/s, '$1… $2')
    .replaceAll(/Invalid value: \{.*?\}: /g, 'Invalid value: … ');
}

/** What a client did wrong is told as the server's own fault. */
function isOddlyRefused({ status }: Answer): boolean {
  return status === 500;
}

interface Outcome {
  readonly answer: Answer;
  readonly object: Json;
}

async function outcome(server: Server, { path }: Scenario, step: Step): Promise<Outcome> {
  const place = step.subresource === undefined ? path : `${path}/${step.subresource}`;
  const target = step.method === 'POST' ? path.slice(0, path.lastIndexOf('/')) : place;
  const body = typeof step.body === 'function' ? step.body((await server.call('GET', place)).body) : step.body;
  const answer = await server.call(step.method, `${target}?${step.query}`, body, { type: step.type });
  return { answer, object: (await server.call('GET', path)).body };
}

function said({ status, body }: Answer): Json {
  const { reason, message, details } = body;
  // Theirs have the order of a Go map.
  details?.causes?.sort((a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return comparable({ code: status, ...(body.status === 'Failure' ? { reason, message, details } : {}) });
}

/** Kubernetes 1.36, and 1.35 from some release on, have MaxUnavailableStatefulSet off again: they have no preset for the field that ours has. */
function leaveOutPreset({ kind, spec }: Json, theirs: Json): void {
  const rolling = kind === 'StatefulSet' ? spec?.updateStrategy?.rollingUpdate : undefined;
  if (rolling?.maxUnavailable === 1 && theirs.spec?.updateStrategy?.rollingUpdate?.maxUnavailable === undefined)
    delete rolling.maxUnavailable;
}

const skip = lacksProgram('etcd', 'kube-apiserver');

describe('server-side apply beside kube-apiserver', { skip }, () => {
  let ours: TestServer;
  let theirs: KubeApiServer;

  before(async () => {
    theirs = await KubeApiServer.start();
    ours = await TestServer.start();
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' }, automountServiceAccountToken: false };
    assert.equal((await ours.call('POST', '/api/v1/namespaces/default/serviceaccounts', account)).status, 201);
  });

  after(async () => {
    await ours?.stop();
    await theirs?.[Symbol.asyncDispose]();
  });

  for (const scenario of scenarios) {
    test(scenario.name, async () => {
      for (const [i, step] of scenario.steps.entries()) {
        const [expected, actual] = [await outcome(theirs, scenario, step), await outcome(ours, scenario, step)];
        // Owners are recorded from the first apply on here (src/api/apply/README.md).
        if (step.method === 'POST') delete expected.object.metadata.managedFields;
        leaveOutPreset(actual.object, expected.object);
        const which = `write ${i + 1}: ${step.method} ${step.subresource ?? ''} ${step.query}`;
        if (isOddlyRefused(expected.answer)) assert.equal(actual.answer.status, 400, which);
        else assert.deepEqual(said(actual.answer), said(expected.answer), which);
        assert.deepEqual(comparable(actual.object), comparable(expected.object), which);
      }
    });
  }
});

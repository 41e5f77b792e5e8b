import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { requestInfo } from './request-info.ts';

/** `verb group/version resource/subresource namespace name rest` */
function read(method: string, url: string): string {
  const [path = '', search = ''] = url.split('?');
  const i = requestInfo(method, path, new URLSearchParams(search));
  if (!i.isResource) return `${i.verb} path ${i.path}`;
  const dash = (text: string): string => text || '-';
  return `${i.verb} ${dash(i.group)}/${i.version} ${i.resource}${i.subresource ? `/${i.subresource}` : ''} ${dash(i.namespace)} ${dash(i.name)}${i.rest ? ` ${i.rest}` : ''}`;
}

describe('requestInfo()', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['GET', '/api/v1/namespaces/default/pods', 'list -/v1 pods default -'],
    ['GET', '/api/v1/pods?watch=true', 'watch -/v1 pods - -'],
    ['GET', '/api/v1/pods?watch=x', 'watch -/v1 pods - -'],
    ['GET', '/api/v1/pods?watch=f', 'watch -/v1 pods - -'],
    ['GET', '/api/v1/pods?watch=false', 'list -/v1 pods - -'],
    ['GET', '/api/v1/pods?watch=False', 'list -/v1 pods - -'],
    ['GET', '/api/v1/pods?watch=0', 'list -/v1 pods - -'],
    ['GET', '/api/v1/namespaces/default/pods/web', 'get -/v1 pods default web'],
    ['GET', '/api/v1/namespaces/default/pods/web?watch', 'watch -/v1 pods default web'],
    ['GET', '/api/v1/watch/namespaces/default/pods', 'watch -/v1 pods default -'],
    ['GET', '/api/v1/watch/nodes/n1/proxy/run', 'get -/v1 nodes/proxy - n1 run'],
    ['POST', '/api/v1/watch/nodes/n1/proxy/run', 'create -/v1 watch/n1 - nodes proxy/run'],
    ['GET', '/api/v1/namespaces/default/pods/web/log?follow=true', 'get -/v1 pods/log default web'],
    ['POST', '/apis/apps/v1/namespaces/default/deployments', 'create apps/v1 deployments default -'],
    ['PUT', '/apis/apps/v1/namespaces/default/deployments/web/status', 'update apps/v1 deployments/status default web'],
    ['DELETE', '/apis/apps/v1/namespaces/default/deployments', 'deletecollection apps/v1 deployments default -'],
    ['GET', '/api/v1/namespaces/default', 'get -/v1 namespaces default default'],
    ['PUT', '/api/v1/namespaces/default/finalize', 'update -/v1 namespaces/finalize default default'],
    ['GET', '/api/v1/namespaces', 'list -/v1 namespaces - -'],
    ['GET', '/api/v1/nodes/n1/proxy/stats/summary', 'get -/v1 nodes/proxy - n1 stats/summary'],
    ['GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode', 'get rbac.authorization.k8s.io/v1 clusterroles - system:node'],
    ['GET', '/apis/apps/v1', 'get path /apis/apps/v1'],
    ['GET', '/api', 'get path /api'],
    ['GET', '/healthz', 'get path /healthz'],
    ['POST', '/openapi/v3', 'post path /openapi/v3'],
  ];
  for (const [method, url, expected] of cases) {
    test(`reads ${method} ${url}`, () => assert.equal(read(method, url), expected));
  }

  test('throws on a broken escape', () => {
    assert.throws(() => requestInfo('GET', '/api/v1/pods/%E0%A4%A', new URLSearchParams()), URIError);
  });
});

/** A server, and a webhook that its configurations lead to. */
import assert from 'node:assert/strict';
import { FakeWebhook } from '../../../testing/fake-webhook.ts';
import { type Reply, TestServer } from '../../../testing/test-server.ts';

export const configMaps = '/api/v1/namespaces/default/configmaps';
export const pods = '/api/v1/namespaces/default/pods';
export const admission = '/apis/admissionregistration.k8s.io/v1';
export const merge = { type: 'application/merge-patch+json' } as const;
/** A rule for all writes of ConfigMaps. */
export const everything = { operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] } as const;

export class HookedServer {
  readonly server: TestServer;
  readonly hook: FakeWebhook;
  /** Paths of the configurations that are there. */
  readonly made: string[] = [];

  private constructor(server: TestServer, hook: FakeWebhook) {
    this.server = server;
    this.hook = hook;
  }

  static async start(): Promise<HookedServer> {
    const [server, hook] = [await TestServer.start(), await FakeWebhook.start('hooks.default.svc')];
    await server.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    return new HookedServer(server, hook);
  }

  async stop(): Promise<void> {
    await this.hook.stop();
    await this.server.stop();
  }

  /** Takes the configurations away, and what the webhook knows of them. */
  async forget(): Promise<void> {
    for (const path of this.made.splice(0)) await this.server.call('DELETE', path);
    this.hook.replies.clear();
    this.hook.asked.splice(0);
  }

  /** The first webhook is `hook0.NAME.example.com` and asked at `/NAME0`. */
  async configure(kind: 'mutating' | 'validating', name: string, ...webhooks: readonly object[]): Promise<Reply> {
    const path = `${admission}/${kind}webhookconfigurations`;
    const rest = { sideEffects: 'None', admissionReviewVersions: ['v1', 'v1beta1'], rules: [everything] };
    const complete = webhooks.map((one, i) => ({
      ...{ name: `hook${i}.${name}.example.com`, clientConfig: this.hook.client(`/${name}${i}`), ...rest, ...one },
    }));
    const answer = await this.server.call('POST', path, { metadata: { name }, webhooks: complete });
    assert.equal(answer.status, 201, answer.text);
    this.made.push(`${path}/${name}`);
    return answer;
  }

  create(name: string, more: object = {}): Promise<Reply> {
    return this.server.call('POST', `${configMaps}?fieldManager=me`, { metadata: { name }, ...more });
  }

  remove(name: string): Promise<Reply> {
    return this.server.call('DELETE', `${configMaps}/${name}`);
  }
}

/** Signs cluster-info with every bootstrap token, so that who has one knows the cluster by what it says of itself. */
import { isDeepStrictEqual } from 'node:util';
import { bootstrapTokenNamespace, bootstrapTokenType } from '../../api/bootstrap-token.ts';
import { configMaps, secrets } from '../../api/resource-types.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { nextEndMs, signedData } from './desired.ts';

const key = 'kube-public/cluster-info';

export class BootstrapSignerController extends KeyedController {
  readonly name = 'bootstrap-signer';
  readonly workers = 1;
  readonly #tokens = this.informers.of(secrets, { namespace: bootstrapTokenNamespace, fieldSelector: `type=${bootstrapTokenType}` });
  readonly #info = this.informers.of(configMaps, { namespace: 'kube-public', fieldSelector: 'metadata.name=cluster-info' });

  setup(controller: Controller): void {
    const all = (): string[] => [key];
    controller.watches(this.#info, { add: all, update: all }).watches(this.#tokens, { add: all, update: all, delete: all });
  }

  async reconcile(): Promise<Result | undefined> {
    const [info, tokens, now] = [this.#info.get(key), this.#tokens.list(), this.clock.now()];
    const data = info && signedData(info.data, tokens, now);
    if (!data) return;
    if (!isDeepStrictEqual(data, info.data)) await this.client.update(configMaps, { ...info, data });
    const left = nextEndMs(tokens, now);
    return left === Number.POSITIVE_INFINITY ? undefined : { requeueAfter: left };
  }
}

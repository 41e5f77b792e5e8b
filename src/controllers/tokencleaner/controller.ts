/** Deletes bootstrap tokens whose time is over. */
import { bootstrapTokenLifeMs, bootstrapTokenNamespace, bootstrapTokenType } from '../../api/bootstrap-token.ts';
import { secrets } from '../../api/resource-types.ts';
import { isConflict, isNotFound } from '../../client/api-error.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';

export class TokenCleanerController extends KeyedController {
  readonly name = 'token-cleaner';
  readonly workers = 1;
  readonly #tokens = this.informers.of(secrets, { namespace: bootstrapTokenNamespace, fieldSelector: `type=${bootstrapTokenType}` });

  setup(controller: Controller): void {
    controller.for(this.#tokens);
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const token = this.#tokens.get(key);
    const left = token && bootstrapTokenLifeMs(token, this.clock.now());
    if (left === undefined || left === Number.POSITIVE_INFINITY) return;
    if (left > 0) return { requeueAfter: left };
    const { name, namespace = '', uid } = token?.metadata ?? { name: '' };
    await this.client.delete(secrets, name, { namespace, preconditions: { uid } }).catch((err: unknown) => {
      // Somebody else has deleted it, and perhaps made another one of its name.
      if (!isNotFound(err) && !isConflict(err)) throw err;
    });
  }
}

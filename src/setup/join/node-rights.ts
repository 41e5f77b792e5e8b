/**
 * Whether the nodes of a cluster may do what proxy, pod network and DNS of one need. Our own `init` sees to it; in a cluster that kubeadm
 * has made somebody has to, and a node that starts without would wait for it with words in a log alone.
 */
import { type KubeObject, selfSubjectAccessReviews } from '../../api/resource-types.ts';
import type { PolicyRule, ResourceAttributes } from '../../api/schema/types.ts';
import { isForbidden, isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { SetupContext } from '../setup-context.ts';

const againMs = 2_000;
/** Without the Service kube-dns, which kubeadm has made at an address of its own. */
const cure = 'fairlead manifest --group system:nodes --cluster-dns= | kubectl apply -f -';

type RoleObject = KubeObject & { readonly rules?: readonly PolicyRule[] };

/** Every single thing that the roles allow. */
export function questionsOf(roles: readonly RoleObject[]): ResourceAttributes[] {
  return roles.flatMap(({ metadata: { namespace }, rules = [] }) =>
    rules.flatMap(({ apiGroups = [], resources = [], resourceNames = [], verbs = [] }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((path) =>
          verbs.map((verb) => {
            const [resource, subresource] = path.split('/');
            return { namespace, group, resource, subresource, name: resourceNames[0], verb };
          }),
        ),
      ),
    ),
  );
}

/** `list services`: what of the roles is not allowed to who asks. */
export async function missingRights(
  client: Pick<Client, 'create'>,
  roles: readonly RoleObject[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const refused = await Promise.all(
    questionsOf(roles).map(async (resourceAttributes) => {
      const review = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        metadata: { name: '' },
        spec: { resourceAttributes },
      };
      const { status } = await client.create(selfSubjectAccessReviews, review, { signal }).catch((err: unknown) => {
        // Who may not even ask is told by the parts themselves.
        if (isForbidden(err) || isNotFound(err)) return { status: { allowed: true } };
        throw err;
      });
      const { verb, resource, subresource } = resourceAttributes;
      return status?.allowed ? [] : [`${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`];
    }),
  );
  return [...new Set(refused.flat())];
}

/** Waits for who administers the cluster, and says what to do. Throws CHECK_FAILED when nobody has. */
export async function waitForRights(
  { clock, signal, steps, timeoutMs }: Pick<SetupContext, 'clock' | 'signal' | 'steps' | 'timeoutMs'>,
  client: Pick<Client, 'create'>,
  roles: readonly RoleObject[],
): Promise<void> {
  const began = clock.monotonic();
  for (let isSaid = false; ; isSaid = true) {
    const [first, ...more] = await missingRights(client, roles, signal);
    if (first === undefined) return;
    const what = `this cluster does not let its nodes ${first}${more.length > 0 ? `, and ${more.length} things more` : ''}`;
    if (clock.monotonic() - began >= timeoutMs)
      throw new KnownError('CHECK_FAILED', `Cannot go on: ${what}`, {
        hint: `On the control plane: ${cure}; then run the same command again`,
      });
    if (!isSaid) steps.note(`Waiting: ${what}. On the control plane: ${cure}`);
    await clock.sleep(againMs, signal);
  }
}

/** Gets images, by each container's pull policy, with a back-off for those that cannot be had. */

import type { Input } from '../../api/codec/message-type.ts';
import type { Container, Pod } from '../../api/schema/types.ts';
import { orAborted } from '../../clock/aborted.ts';
import type { Clock } from '../../clock/clock.ts';
import { KeyedBackOff } from '../../clock/keyed-back-off.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Cri } from '../cri/cri.ts';
import type { AuthConfig, Image, PodSandboxConfig } from '../cri/messages.ts';
import type { ConfigSource } from '../pod/env.ts';
import { namespaceOf, specOf, uidOf } from '../pod/spec.ts';
import type { PodEvents } from './pod-events.ts';
import { authFor } from './registry-auth.ts';
import { StartError } from './start-error.ts';

export interface ImagePullerOptions {
  readonly cri: Cri;
  readonly clock: Clock;
  readonly events: PodEvents;
  readonly source: ConfigSource;
}

export class ImagePuller {
  readonly #options: ImagePullerOptions;
  readonly #backOff = new KeyedBackOff();
  readonly #failures = new Map<string, { readonly at: number; readonly message: string }>();
  /** Pulls under way, by image and credentials' namespace: pods of one Deployment start together. */
  readonly #pulls = new Map<string, Promise<string>>();

  constructor(options: ImagePullerOptions) {
    this.#options = options;
  }

  /** The image, once it is there. Throws StartError with the reason for which the container waits. */
  async ensure(pod: Pod, container: Container, sandbox: Input<PodSandboxConfig>, signal: AbortSignal): Promise<Image> {
    const { cri, clock, events } = this.#options;
    const image = container.image ?? '';
    if (!isReference(image))
      throw new StartError(
        'InvalidImageName',
        `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`,
      );
    const present = await cri.imageStatus(image);
    const policy = container.imagePullPolicy ?? defaultPolicy(image);
    const isThere = (): void =>
      events.container(pod, container, 'Normal', 'Pulled', `Container image "${image}" already present on machine`);
    if (present && policy !== 'Always') {
      isThere();
      return present;
    }
    if (policy === 'Never') {
      const message = `Container image "${image}" is not present with pull policy of Never`;
      events.container(pod, container, 'Warning', 'ErrImageNeverPull', message);
      throw new StartError('ErrImageNeverPull', message);
    }
    const key = `${uidOf(pod)}/${image}`;
    const failure = this.#failures.get(key);
    const remaining = failure ? this.#backOff.remaining(key, failure.at, clock.now()) : 0;
    if (failure && remaining > 0) {
      events.container(pod, container, 'Normal', 'BackOff', `Back-off pulling image "${image}"`);
      throw new StartError('ImagePullBackOff', `Back-off pulling image "${image}": ErrImagePull: ${failure.message}`, remaining);
    }
    events.container(pod, container, 'Normal', 'Pulling', `Pulling image "${image}"`);
    const began = clock.monotonic();
    try {
      // A pull goes on for other pods when the one that asked no longer waits.
      await orAborted(this.#pull(pod, image, sandbox), signal);
    } catch (err) {
      signal.throwIfAborted();
      // Somebody may have loaded it by hand meanwhile.
      const loaded = policy === 'Always' ? undefined : await cri.imageStatus(image);
      if (loaded) {
        isThere();
        return loaded;
      }
      const message = messageOf(err);
      this.#backOff.next(key, clock.now(), clock.now());
      this.#failures.set(key, { at: clock.now(), message });
      events.container(pod, container, 'Warning', 'Failed', `Failed to pull image "${image}": ${message}`);
      throw new StartError('ErrImagePull', message, this.#backOff.delay(key));
    }
    this.#backOff.forget(key);
    this.#failures.delete(key);
    const pulled = await cri.imageStatus(image);
    if (!pulled) throw new StartError('ErrImagePull', `image "${image}" is gone after it was pulled`, 1000);
    const took = ((clock.monotonic() - began) / 1000).toFixed(3);
    events.container(
      pod,
      container,
      'Normal',
      'Pulled',
      `Successfully pulled image "${image}" in ${took}s (${took}s including waiting). Image size: ${pulled.size} bytes.`,
    );
    return pulled;
  }

  forget(podUid: string): void {
    this.#backOff.forget(podUid);
    for (const key of this.#failures.keys()) if (key.startsWith(podUid)) this.#failures.delete(key);
  }

  #pull(pod: Pod, image: string, sandbox: Input<PodSandboxConfig>): Promise<string> {
    const key = `${namespaceOf(pod)}/${(specOf(pod).imagePullSecrets ?? []).map((s) => s.name).join(',')}/${image}`;
    const running = this.#pulls.get(key);
    if (running) return running;
    const pull = this.#auth(pod, image)
      .then((auth) => this.#options.cri.pullImage(image, auth, sandbox))
      .finally(() => this.#pulls.delete(key));
    this.#pulls.set(key, pull);
    return pull;
  }

  async #auth(pod: Pod, image: string): Promise<Input<AuthConfig> | undefined> {
    for (const { name } of specOf(pod).imagePullSecrets ?? []) {
      const secret = name ? await this.#options.source.secret(namespaceOf(pod), name) : undefined;
      const auth = secret && authFor(secret, image);
      if (auth) return auth;
    }
    return undefined;
  }
}

function defaultPolicy(image: string): string {
  return /:latest$|^[^:@]+$/.test(image.slice(image.lastIndexOf('/') + 1)) ? 'Always' : 'IfNotPresent';
}

/** name[:tag][@digest] with a lower-case path (distribution/reference). */
function isReference(image: string): boolean {
  const part = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
  const host = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?/';
  return new RegExp(`^(?:${host})?${part}(?:/${part})*(?::[\\w][\\w.-]{0,127})?(?:@[a-z0-9+.-]+:[0-9a-fA-F]{32,})?$`).test(image);
}

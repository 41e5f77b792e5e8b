/** Asks the webhook of a definition for objects in another version: several in one review, each of which may fail by itself. */
import { randomUUID } from 'node:crypto';
import { bodyLimits, measureJson } from '../../api/codec/limits.ts';
import type { CustomResourceDefinition } from '../../api/custom/definition.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { WebhookClientConfig } from '../../api/schema/types.ts';
import { messageOf } from '../../errors/known-error.ts';
import { StatusError } from '../status/status-error.ts';
import { AnswerError, type WebhookCaller } from '../webhook/webhook-caller.ts';
import { acceptedObject, kindText, objectsOf, type Question, ReviewError, reviewOf, reviewVersionOf } from './conversion-review.ts';

/** As upstream's. */
const timeoutMs = 30_000;
/** Of one review. An object that has more by itself is asked about alone. */
const most = { objects: 64, bytes: 256 << 10, values: 15_000 } as const;
/** An object of the largest size, what a webhook adds to it, and what is around it. */
const answerLimits = { depth: bodyLimits.depth, values: 2 * bodyLimits.values } as const;
/** Reviews of one request that are under way side by side. */
const lanes = 4;

/** An object that is to be converted, and who waits for it. */
interface Waiting {
  readonly object: KubeObject;
  readonly json: string;
  resolve(converted: KubeObject): void;
  reject(err: StatusError): void;
}

/** The webhook gave no answer at all; what it says of other objects nobody needs to ask. */
class CallError extends Error {}

export class ConversionWebhook {
  readonly #client: WebhookClientConfig;
  readonly #version: string | undefined;
  readonly #caller: WebhookCaller;

  constructor({ spec }: CustomResourceDefinition, caller: WebhookCaller) {
    const { clientConfig = {}, conversionReviewVersions } = spec?.conversion?.webhook ?? {};
    this.#client = clientConfig;
    this.#version = reviewVersionOf(conversionReviewVersions);
    this.#caller = caller;
  }

  /** Each promise fails with a StatusError of 500, as upstream has it for whatever a webhook does. */
  convert(objects: readonly KubeObject[], apiVersion: string): Promise<KubeObject>[] {
    const waiting: Waiting[] = [];
    const promises = objects.map(
      (object) =>
        new Promise<KubeObject>((resolve, reject) => void waiting.push({ object, json: JSON.stringify(object), resolve, reject })),
    );
    const batches = batchesOf(waiting);
    for (let i = 0; i < lanes; i++) void this.#lane(batches, apiVersion);
    return promises;
  }

  /** Ends, with all that is left, at the first call that fails. Never rejects. */
  async #lane(batches: Waiting[][], apiVersion: string): Promise<void> {
    for (let batch = batches.shift(); batch; batch = batches.shift()) {
      try {
        await this.#batch(batch, apiVersion);
      } catch (err) {
        const left = [batch, ...batches.splice(0)];
        for (const { object, reject } of left.flat())
          reject(failure(`conversion webhook for ${kindText(object)} failed: ${messageOf(err)}`));
      }
    }
  }

  /** Throws CallError. Of an answer that is none for several objects each half is asked about by itself, so that one object is not in the way of others. */
  async #batch(batch: readonly Waiting[], desiredAPIVersion: string): Promise<void> {
    const answer = await this.#ask(batch, desiredAPIVersion);
    if (answer instanceof Error && batch.length > 1) {
      const middle = batch.length >> 1;
      await this.#batch(batch.slice(0, middle), desiredAPIVersion);
      await this.#batch(batch.slice(middle), desiredAPIVersion);
      return;
    }
    for (const [i, { object, resolve, reject }] of batch.entries()) {
      try {
        if (answer instanceof Error) throw answer;
        resolve(acceptedObject(object, answer[i], desiredAPIVersion));
      } catch (err) {
        reject(failure(messageOf(err)));
      }
    }
  }

  /** The objects of the answer, or what is wrong with it. Throws CallError. */
  async #ask(batch: readonly Waiting[], desiredAPIVersion: string): Promise<readonly unknown[] | Error> {
    const kind = kindText((batch[0] as Waiting).object);
    if (this.#version === undefined) return new Error('no supported conversion review versions');
    const question: Question = { uid: randomUUID(), version: this.#version, desiredAPIVersion };
    const review = reviewOf(
      question,
      batch.map(({ json }) => json),
    );
    try {
      const said = await this.#caller.call(this.#client, review, timeoutMs, answerLimits);
      const objects = objectsOf(said, question);
      if (objects.length === batch.length) return objects;
      return new Error(`conversion webhook for ${kind} returned ${objects.length} objects, expected ${batch.length}`);
    } catch (err) {
      if (!(err instanceof AnswerError || err instanceof ReviewError)) throw new CallError(messageOf(err));
      return new Error(`conversion webhook for ${kind} failed: ${messageOf(err)}`);
    }
  }
}

function batchesOf(waiting: readonly Waiting[]): Waiting[][] {
  const batches: Waiting[][] = [];
  let [bytes, values] = [0, 0];
  for (const one of waiting) {
    const size = Buffer.byteLength(one.json);
    // It was counted when it was written, with room to spare.
    const count = measureJson(Buffer.from(one.json), { depth: Number.POSITIVE_INFINITY, values: Number.POSITIVE_INFINITY });
    const last = batches.at(-1);
    if (last && last.length < most.objects && bytes + size <= most.bytes && values + count <= most.values) {
      last.push(one);
      [bytes, values] = [bytes + size, values + count];
    } else {
      batches.push([one]);
      [bytes, values] = [size, count];
    }
  }
  return batches;
}

/** Upstream gives it no reason. */
function failure(message: string): StatusError {
  return new StatusError(500, '', message);
}

/** Copies what one store holds to another, which holds nothing. */
import { KnownError } from '../../errors/known-error.ts';
import type { Filled, StoreImage } from '../image.ts';
import { fillStore, openImage } from '../open.ts';

/** Records after which somebody is told. */
const toldEvery = 10_000;

export interface Copied extends Filled {
  readonly records: number;
  readonly oldRevision: number;
}

/** `from` and `to` are URLs of stores. Throws STORE_IN_USE when the first was written to meanwhile: then the second is of an earlier moment. */
export async function copyStore(
  from: string,
  to: string,
  tell: (records: number) => void,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Copied> {
  await using image = await openImage(from, { closed: true });
  let records = 0;
  const counted: StoreImage = {
    ...image,
    async *records() {
      for await (const record of image.records()) {
        yield record;
        if (++records % toldEvery === 0) tell(records);
      }
    },
  };
  const filled = await fillStore(to, counted, image.revision, options);
  if (!(await image.isCurrent()))
    throw new KnownError('STORE_IN_USE', 'Cannot vouch for the copy: the first store was written to meanwhile', {
      hint: 'Stop every API server that uses it, empty the second store, and copy again',
    });
  return { ...filled, records, oldRevision: image.revision };
}

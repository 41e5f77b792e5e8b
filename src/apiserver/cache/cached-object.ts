/**
 * One stored object as the server holds it: its JSON as bytes, with the resourceVersion in its place, ready to be written to
 * any number of clients. The store's value has no resourceVersion (the revision is known only once it is written); it is
 * spliced in behind `"metadata":{`, which `encodeObject` puts at a known place.
 */
import { asGoWrites } from '../../api/codec/go-json.ts';
import { encodeMessage } from '../../api/codec/protobuf.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { StoredRecord } from '../../storage/store.ts';

/** An object of the cluster whose other fields are not known here. */
export interface LooseObject extends KubeObject {
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  [field: string]: unknown;
}

const openMeta = Buffer.from('"metadata":{');
/** Of records that were just written: whoever wrote it asks once, and the cache does. */
const justWritten = new WeakMap<StoredRecord, CachedObject>();

/** The bytes to store: apiVersion, kind and metadata first, without resourceVersion. */
export function encodeObject(object: KubeObject): Buffer {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { resourceVersion: _dropped, ...meta } = metadata;
  // Upstream keeps the bytes of this one field, and clients compare them.
  if (kind === 'ControllerRevision' && 'data' in rest) rest.data = asGoWrites(rest.data);
  return Buffer.from(JSON.stringify({ apiVersion, kind, metadata: meta, ...rest }));
}

/** Offset behind `"metadata":{`, or -1 when the bytes are not of `encodeObject`. */
function spliceOffset(value: Buffer): number {
  const at = value.subarray(0, 256).indexOf(openMeta);
  if (at < 0) return -1;
  // Nothing but apiVersion and kind may stand before: a "metadata" inside another field would be the wrong one.
  const head = value.toString('latin1', 0, at);
  return /^\{"apiVersion":"[^"]*","kind":"[^"]*",$/.test(head) ? at + openMeta.length : -1;
}

/** The object's JSON with its resourceVersion, from what the store holds. */
export function spliceRevision(value: Uint8Array, revision: number): Buffer {
  let bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  let at = spliceOffset(bytes);
  if (at < 0) {
    bytes = encodeObject(JSON.parse(bytes.toString()) as KubeObject);
    at = spliceOffset(bytes);
  }
  const text = `"resourceVersion":"${revision}",`;
  // Not from the pool: a small slice would keep the whole pool block alive for as long as the object lives.
  const out = Buffer.allocUnsafeSlow(bytes.length + text.length);
  bytes.copy(out, 0, 0, at);
  out.write(text, at, 'latin1');
  bytes.copy(out, at + text.length, at);
  return out;
}

export class CachedObject {
  readonly key: string;
  readonly revision: number;
  /** JSON with resourceVersion. Written as it is; never changed. */
  readonly bytes: Buffer;
  #parsed: WeakRef<KubeObject> | undefined;
  #labels: Readonly<Record<string, string>> | undefined;
  #message: Buffer | undefined;
  #asked = false;
  /** By who made them. */
  #views: Map<object, CachedObject> | undefined;

  constructor(key: string, revision: number, bytes: Buffer) {
    this.key = key;
    this.revision = revision;
    this.bytes = bytes;
  }

  /** Throws STORE_CORRUPT for a value that is no object: SQLite keeps no checksums of pages, so a disk may have changed it. */
  static of({ key, modRevision, value }: StoredRecord): CachedObject {
    try {
      return new CachedObject(key, modRevision, spliceRevision(value, modRevision));
    } catch (cause) {
      throw new KnownError('STORE_CORRUPT', `Cannot read "${key}" of the store: its value is no object`, {
        hint: 'Bring the store back from a backup',
        cause,
      });
    }
  }

  /** As `of`; who asks second for the same record gets the same object, so that its bytes are put together once. */
  static ofWritten(record: StoredRecord): CachedObject {
    const known = justWritten.get(record);
    if (known) {
      // Nobody asks a third time, and the record may be kept for longer than its object.
      justWritten.delete(record);
      return known;
    }
    const made = CachedObject.of(record);
    justWritten.set(record, made);
    return made;
  }

  /** Shared by all who ask: must not be changed. */
  get object(): LooseObject {
    const known = this.#parsed?.deref();
    if (known) return known as LooseObject;
    const parsed = this.copy();
    this.#parsed = new WeakRef(parsed);
    return parsed;
  }

  /** The caller's own. */
  copy(): LooseObject {
    return JSON.parse(this.bytes.toString()) as LooseObject;
  }

  /**
   * The object as a protobuf message, without envelope: made when it is first asked for, written as it is, and kept while somebody asks.
   * Throws ProtobufError.
   */
  get message(): Buffer {
    this.#asked = true;
    this.#message ??= encodeMessage(this.#parsed?.deref() ?? this.copy());
    return this.#message;
  }

  /** The object in another version, which was made by `of` and kept. */
  view(of: object): CachedObject | undefined {
    const found = this.#views?.get(of);
    if (found) this.#asked = true;
    return found;
  }

  /** Keeps the object in another version, while somebody asks. */
  keepView(of: object, view: CachedObject): void {
    this.#asked = true;
    this.#views ??= new Map();
    this.#views.set(of, view);
  }

  /** Of the object as it is stored, without a look at the rest. */
  get apiVersion(): string {
    const [, found] = /^\{"apiVersion":"([^"]*)"/.exec(this.bytes.toString('latin1', 0, 256)) ?? [];
    return found ?? this.object.apiVersion;
  }

  /** Called now and then. Lets go of what nobody has asked for since the last time. */
  age(): void {
    if (!this.#asked) {
      this.#message = undefined;
      this.#views = undefined;
    }
    this.#asked = false;
  }

  /** Called when another object has taken this one's place. */
  retire(): void {
    this.#message = undefined;
  }

  get labels(): Readonly<Record<string, string>> {
    this.#labels ??= this.object.metadata.labels ?? {};
    return this.#labels;
  }

  /** The same content as of another revision: what a DELETED event shows. */
  at(revision: number): CachedObject {
    const own = `"resourceVersion":"${this.revision}",`;
    const at = this.bytes.indexOf(own);
    const text = `"resourceVersion":"${revision}",`;
    const bytes = Buffer.concat([this.bytes.subarray(0, at), Buffer.from(text), this.bytes.subarray(at + own.length)]);
    return new CachedObject(this.key, revision, bytes);
  }
}

/** What form of an answer a client asked for in `Accept`. The answer is JSON always; its shape may be a Table or metadata only. */
import { notAcceptable } from '../status/status-error.ts';

export type AnswerShape = 'object' | 'table' | 'metadata';

interface MediaRange {
  readonly type: string;
  readonly params: ReadonlyMap<string, string>;
}

/** The ranges of an Accept header in the client's order; quality values are not used by Kubernetes clients. */
export function mediaRanges(accept: string | undefined): MediaRange[] {
  const out: MediaRange[] = [];
  for (const part of (accept ?? '').split(',')) {
    const [type = '', ...rest] = part.split(';').map((s) => s.trim());
    if (!type) continue;
    const params = new Map<string, string>();
    for (const param of rest) {
      const eq = param.indexOf('=');
      if (eq > 0) params.set(param.slice(0, eq).toLowerCase(), param.slice(eq + 1));
    }
    out.push({ type: type.toLowerCase(), params });
  }
  return out;
}

const jsonTypes = new Set(['application/json', 'application/*', '*/*']);
const served = ['application/json', 'application/yaml'];

/** False for a client that takes nothing but a Table or the metadata. */
export function takesPlainObject(accept: string | undefined): boolean {
  const ranges = mediaRanges(accept);
  return ranges.length === 0 || ranges.some(({ type, params }) => isServed(type) && !params.has('as'));
}

/** Throws 406 when nothing that the client takes is served. Protobuf is skipped: every client that asks for it takes JSON too. */
export function answerShape(accept: string | undefined): AnswerShape {
  const ranges = mediaRanges(accept);
  if (ranges.length === 0) return 'object';
  for (const { type, params } of ranges) {
    if (!jsonTypes.has(type)) continue;
    const as = params.get('as');
    if (as === undefined) return 'object';
    if (params.get('g') !== 'meta.k8s.io') continue;
    if (as === 'Table' && params.get('v') === 'v1') return 'table';
    if ((as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') && params.get('v') === 'v1') return 'metadata';
  }
  // A shape that is not known, or protobuf alone: client-go falls back by itself when it gets plain JSON.
  if (ranges.some((r) => isServed(r.type))) return 'object';
  throw notAcceptable(served);
}

function isServed(type: string): boolean {
  return type === 'application/yaml' || type === 'application/vnd.kubernetes.protobuf' || jsonTypes.has(type);
}

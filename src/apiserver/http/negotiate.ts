/**
 * What form of an answer a client asked for in `Accept`: how it is written, and what of the object it shows. As upstream's
 * apiserver/pkg/endpoints/handlers/negotiation: the first range that can be served is, in the order of quality and preciseness.
 */
import { notAcceptable } from '../status/status-error.ts';
import { type Encoding, json, protobuf, yaml } from './encoding.ts';

type AnswerShape = 'object' | 'table' | 'metadata';

interface AnswerForm {
  readonly encoding: Encoding;
  readonly shape: AnswerShape;
}

/** What the answer could be. */
interface Offer {
  /** There are protobuf tables of the kind. */
  readonly protobuf: boolean;
  /** There is an object, or there are several, of which a Table or the metadata can be shown. */
  readonly shapes: boolean;
}

interface MediaRange {
  readonly type: string;
  readonly params: ReadonlyMap<string, string>;
}

/** Clients have few ways to ask. Of those that somebody makes up no more is kept than this. */
const maxKnown = 100;
const maxKnownLength = 500;
const known = new Map<string, readonly MediaRange[]>();

/** The ranges of an Accept header, the preferred first; among equals in the client's order. */
export function mediaRanges(accept = ''): readonly MediaRange[] {
  const found = known.get(accept);
  if (found) return found;
  const ranges = readRanges(accept);
  if (accept.length > maxKnownLength) return ranges;
  if (known.size === maxKnown) known.clear();
  known.set(accept, ranges);
  return ranges;
}

function readRanges(accept: string): MediaRange[] {
  const ranges = accept.split(',').map((part) => {
    const [type = '', ...params] = part.split(';').map((s) => s.trim());
    return { type: type.toLowerCase(), params: new Map(params.map(splitParam)) };
  });
  return ranges.filter(({ type }) => type.includes('/')).toSorted((a, b) => qualityOf(b) - qualityOf(a) || wildcards(a) - wildcards(b));
}

function splitParam(param: string): [string, string] {
  const [name = '', value = ''] = param.split('=', 2);
  return [name.trim().toLowerCase(), value.trim()];
}

function qualityOf({ params }: MediaRange): number {
  return Number(params.get('q') ?? 1) || 0;
}

function wildcards({ type }: MediaRange): number {
  return type === '*/*' ? 2 : type.endsWith('/*') ? 1 : 0;
}

/** By media type. A wildcard finds the first. */
const served: ReadonlyMap<string, Encoding> = new Map([
  ['application/json', json],
  ['application/yaml', yaml],
  ['application/vnd.kubernetes.protobuf', protobuf],
]);

/** Throws 406 when nothing that the client takes is served. */
export function answerForm(accept: string | undefined, offer: Offer): AnswerForm {
  const ranges = mediaRanges(accept);
  if (ranges.length === 0) return { encoding: json, shape: 'object' };
  for (const { type, params } of ranges) {
    const encoding = type === '*/*' || type === 'application/*' ? json : served.get(type);
    if (!encoding || (encoding === protobuf && !offer.protobuf)) continue;
    const shape = shapeOf(params, encoding, offer);
    const stream = params.get('stream') ?? '';
    if (shape && (stream === '' || (stream === 'watch' && encoding.streamType))) return { encoding, shape };
  }
  throw notAcceptable(offered(offer).map(({ contentType }) => contentType));
}

function offered({ protobuf: hasProtobuf }: Pick<Offer, 'protobuf'>): Encoding[] {
  return [...served.values()].filter((encoding) => encoding !== protobuf || hasProtobuf);
}

/** The content type of a watch. Throws 406 where there is none: what the client likes best is not a stream. */
export function streamTypeOf(encoding: Encoding, offer: Pick<Offer, 'protobuf'>): string {
  if (encoding.streamType) return encoding.streamType;
  throw notAcceptable(offered(offer).flatMap(({ streamType, contentType }) => (streamType ? `${contentType};stream=watch` : [])));
}

/** Undefined for a shape that there is not. */
function shapeOf(params: ReadonlyMap<string, string>, encoding: Encoding, { shapes }: Offer): AnswerShape | undefined {
  const as = params.get('as');
  if (as === undefined) return 'object';
  if (!shapes || params.get('g') !== 'meta.k8s.io' || params.get('v') !== 'v1') return undefined;
  // A Table holds cells of any type, which protobuf has no word for.
  if (as === 'Table') return encoding === protobuf ? undefined : 'table';
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList' ? 'metadata' : undefined;
}

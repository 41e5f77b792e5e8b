/** Which presentation a request asks for. */
import { hasProtobuf } from '../../api/codec/protobuf.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { apiVersionOf } from '../../api/resource-types.ts';
import type { Clock } from '../../clock/clock.ts';
import { protobuf, yaml } from '../http/encoding.ts';
import { answerForm } from '../http/negotiate.ts';
import type { RequestContext } from '../http/request-context.ts';
import { metadataPresentation, plainPresentation, tablePresentation } from './json-presentation.ts';
import type { Presentation } from './presentation.ts';
import { protobufMetadata, protobufPresentation } from './protobuf-presentation.ts';
import { yamlPresentation } from './yaml-presentation.ts';

/** Of what depends on the row alone there is one for all requests. */
function onceForRow(make: (row: ResourceRow) => Presentation): (row: ResourceRow) => Presentation {
  const made = new WeakMap<ResourceRow, Presentation>();
  return (row) => {
    const known = made.get(row) ?? make(row);
    made.set(row, known);
    return known;
  };
}

const plain = onceForRow(plainPresentation);
const metadata = onceForRow(metadataPresentation);
const message = onceForRow(protobufPresentation);
const messageMetadata = onceForRow(protobufMetadata);

export function offerOf({ type }: ResourceRow): { protobuf: boolean; shapes: true } {
  return { protobuf: hasProtobuf(apiVersionOf(type), type.kind), shapes: true };
}

/** Throws 406, and 400 for a Table of something that there is not. */
export function presentationOf({ req, query }: RequestContext, row: ResourceRow, clock: Clock): Presentation {
  const { encoding, shape } = answerForm(req.headers.accept, offerOf(row));
  if (encoding === protobuf) return shape === 'metadata' ? messageMetadata(row) : message(row);
  const table = (): Presentation => tablePresentation(row, query.get('includeObject') || 'Metadata', clock);
  const base = shape === 'table' ? table() : shape === 'metadata' ? metadata(row) : plain(row);
  return encoding === yaml ? yamlPresentation(base) : base;
}

/** The zero value of one entry. */
import type { Field } from '../schema/schema.ts';

/** What Go has for an entry of a list or map that JSON shows as null, and protobuf leaves out. */
export function emptyEntry({ kind }: Field): unknown {
  switch (kind) {
    case 'message':
      return {};
    case 'bool':
      return false;
    case 'int32':
    case 'int64':
    case 'intOrString':
      return 0;
    case 'quantity':
      return '0';
    case 'strings':
      return [];
    case 'string':
    case 'bytes':
      return '';
    default:
      return null;
  }
}

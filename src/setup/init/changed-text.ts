/** A YAML text of a ConfigMap with what is wished, and with everything else of it, comments too. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { type Document, parseDocument } from 'yaml';
import { isTree } from '../../api/configuration-fields.ts';

type Tree = Readonly<Record<string, unknown>>;

/** Undefined when it says all that already. What is undefined in `wish` is not wished; lists are replaced whole. */
export function changedText(text: string, wish: Tree): string | undefined {
  const document = parseDocument(text);
  return setIn(document, [], wish, document.toJS()) ? document.toString() : undefined;
}

function setIn(document: Document, path: readonly (string | number)[], wish: Tree, present: unknown): boolean {
  let isChanged = false;
  for (const [name, value] of Object.entries(wish)) {
    const there = isTree(present) ? present[name] : undefined;
    if (value === undefined || isDeepStrictEqual(value, there)) continue;
    if (isTree(value) && isTree(there)) isChanged = setIn(document, [...path, name], value, there) || isChanged;
    else {
      document.setIn([...path, name], document.createNode(value));
      isChanged = true;
    }
  }
  return isChanged;
}

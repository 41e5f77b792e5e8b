/** Field selectors: the text of `fieldSelector=` (`metadata.name=web,status.phase!=Running`). */
import { SelectorError } from './label.ts';

export interface FieldTerm {
  readonly path: string;
  readonly op: '=' | '!=';
  readonly value: string;
}

/** Splits at a separator that is not escaped by a backslash. */
function splitUnescaped(text: string, separator: string): string[] {
  const out: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === separator) {
      out.push(text.slice(start, i));
      start = i + 1;
    }
  }
  out.push(text.slice(start));
  return out;
}

function unescapeValue(value: string): string {
  return value.replace(/\\(.?)|[,=]/gsu, (whole, char: string | undefined) => {
    // Upstream tells the number of the character.
    if (char === undefined) throw new SelectorError(`invalid field selector: unescaped character in value: ${whole.codePointAt(0)}`);
    if (!/^[\\,=]$/.test(char)) throw new SelectorError(`invalid field selector: invalid escape sequence: ${whole}`);
    return char;
  });
}

function parseTerm(text: string): FieldTerm {
  for (let i = 0; i < text.length; i++) {
    const two = text.slice(i, i + 2);
    if (text[i] === '\\') i++;
    else if (two === '!=' || two === '==')
      return { path: text.slice(0, i), op: two === '!=' ? '!=' : '=', value: unescapeValue(text.slice(i + 2)) };
    else if (text[i] === '=') return { path: text.slice(0, i), op: '=', value: unescapeValue(text.slice(i + 1)) };
  }
  throw new SelectorError(`invalid selector: '${text}'; can't understand '${text}'`);
}

/** Parses the text; empty text has no terms. `==` is `=`; a backslash escapes `,`, `=` and itself in a value. Throws SelectorError. */
export function parseFieldSelector(text: string): FieldTerm[] {
  return splitUnescaped(text, ',')
    .filter((part) => part !== '')
    .map(parseTerm);
}

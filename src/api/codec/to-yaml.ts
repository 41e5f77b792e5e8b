/**
 * JSON as YAML in the form of Go's sigs.k8s.io/yaml: keys sorted, lists as deep as their key. How a text is written is for the `yaml` library to say, but
 * for those of which it is clear: its writer takes a hundred times as long, and a list of thousands of objects would hold the server up for half a minute.
 */
import { stringify } from 'yaml';

/** With an end of line. */
export function toYaml(value: unknown): string {
  return `${isBlock(value) ? block(value, '') : scalar(value, '')}\n`;
}

/** A value that stands in a list, whose items begin at `pad`. */
export function yamlItem(value: unknown, pad: string): string {
  return `- ${isBlock(value) ? block(value, `${pad}  `) : scalar(value, pad)}`;
}

function isBlock(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    (Array.isArray(value) ? value.length > 0 : Object.values(value).some((inner) => inner !== undefined))
  );
}

/** `pad` stands before every line but the first. */
function block(value: object, pad: string): string {
  const lines = Array.isArray(value)
    ? value.map((item) => yamlItem(item, pad))
    : Object.entries(value)
        .filter(([, inner]) => inner !== undefined)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, inner]) => `${keyText(key, pad)}:${isBlock(inner) ? below(inner, pad) : ` ${scalar(inner, pad)}`}`);
  return lines.join(`\n${pad}`);
}

function below(value: object, pad: string): string {
  const deeper = Array.isArray(value) ? pad : `${pad}  `;
  return `\n${deeper}${block(value, deeper)}`;
}

/** What is empty, and what holds nothing. `pad` stands before the key or dash that it belongs to. */
function scalar(value: unknown, pad: string): string {
  if (typeof value === 'string') return text(value, pad);
  return Array.isArray(value) ? '[]' : typeof value === 'object' && value !== null ? '{}' : String(value ?? null);
}

/** Begins with a letter, as a flag of a program may, and holds nothing that means something to YAML. */
const wordLike = /^(--?)?[A-Za-z/][\w./@+-]*([: ][\w./@+-]+)*$/;
const quantity = /^[1-9]\d*(m|[KMGTPE]i?)$/;
const address = /^\d+(\.\d+){3}(\/\d+)?$/;
const uid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;
/** In metadata.managedFields, beside words: an item of a list by its key, and one of a set by its value. */
const fieldKey = /^(k:\{"[\w./":,-]*\}|v:"[\w./:-]*")$/;
const plain = [wordLike, quantity, address, uid, fieldKey];
/** Would be read as something else by some reader of YAML. */
const otherType = /^(<<|=|\.|0o\d+|y|n|yes|no|on|off|true|false|null|[-+]?e[-+]?\d+|\d+|\d{4}-\d\d-\d\dT[\d:.]+Z)$/i;

function text(value: string, pad: string): string {
  if (otherType.test(value)) return `"${value}"`;
  if (unprintable.test(value) || (value.includes('\n') && (noBlock.test(value) || pad.length > deepest))) return escaped(value);
  return plain.some((form) => form.test(value)) ? value : byLibrary(value, pad);
}

const unprintable = /(?![\n\t])[\p{Cc}\u2028\u2029\ufeff\ufffe\uffff]/u;
/** libyaml takes a tab at the head of a block for indentation; the library forgets the blanks of a block that holds nothing else. */
const noBlock = /^(\n*\t|\s*$)/;
/** Each line of a block is padded as far: a megabyte of short lines five hundred objects deep would be half a gigabyte. */
const deepest = 40;

/** A text of JSON is one of YAML, but for what is not printable there. The library takes a second for a megabyte of it. */
function escaped(value: string): string {
  return JSON.stringify(value).replace(
    /[\p{Cc}\u2028\u2029\ufeff\ufffe\uffff]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Go quotes twice what is a text only by its quotes. */
const numberLike = /^(~|[-+.]?\d.*|[-+]?\..*|)$/;

/** What the library folds in double quotes it does not always read as it was. */
const options = { version: '1.1', indentSeq: false, lineWidth: 0, doubleQuotedAsJSON: true } as const;

function byLibrary(value: string, pad: string): string {
  const written = stringify({ k: value }, { ...options, singleQuote: !numberLike.test(value) }).slice('k: '.length, -1);
  return pad === '' ? written : written.replace(/\n(?!\n|$)/g, `\n${pad}`);
}

/** Readers look for the colon of a key no further than 1024 characters; Go marks as a key what is longer than this. */
const longKey = 128;

/** A key is one line, whatever it holds. */
function keyText(key: string, pad: string): string {
  const written = text(key, '');
  const line = written.includes('\n') ? JSON.stringify(key) : written;
  return line.length > longKey ? `? ${line}\n${pad}` : line;
}

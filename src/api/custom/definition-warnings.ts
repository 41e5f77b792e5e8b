/** What is told of a definition that is accepted: formats that nobody looks at. */
import { isObject } from '../codec/json-object.ts';
import type { CustomResourceDefinition } from './definition.ts';
import { knowsFormat } from './format.ts';

export function definitionWarnings({ spec }: CustomResourceDefinition): string[] {
  const versions = spec?.versions ?? [];
  const formats = new Set(versions.flatMap(({ schema }) => [...unknownFormats(schema?.openAPIV3Schema)]));
  return [...formats].sort().map((format) => `unrecognized format ${JSON.stringify(format)}`);
}

function* unknownFormats(schema: unknown): Generator<string> {
  if (Array.isArray(schema)) for (const one of schema) yield* unknownFormats(one);
  if (!isObject(schema)) return;
  const { format, type, properties, items, additionalProperties, allOf, anyOf, oneOf, not } = schema;
  if (typeof format === 'string' && format !== '' && !knowsFormat(typeof type === 'string' ? type : '', format)) yield format;
  for (const below of [items, additionalProperties, allOf, anyOf, oneOf, not]) yield* unknownFormats(below);
  if (isObject(properties)) for (const one of Object.values(properties)) yield* unknownFormats(one);
}

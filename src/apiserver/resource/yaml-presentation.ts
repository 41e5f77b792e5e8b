/** Objects as YAML, for people: what the JSON says, written anew for each answer. */
import { toYaml, yamlItem } from '../../api/codec/to-yaml.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { yaml } from '../http/encoding.ts';
import type { Presentation } from './presentation.ts';

/** As `base`, whose bytes are JSON. */
export function yamlPresentation(base: Presentation): Presentation {
  const document = (meta: object, objects: readonly CachedObject[]): Record<string, unknown> =>
    JSON.parse(Buffer.concat([...base.list(meta, objects)]).toString()) as Record<string, unknown>;
  return {
    id: `yaml ${base.id}`,
    encoding: yaml,
    one: (object) => Buffer.from(toYaml(JSON.parse(base.one(object).toString()))),
    /** One object after the other, as the reader takes them. */
    *list(meta, objects) {
      const whole = document(meta, []);
      const entries = Object.entries(whole);
      const [key] = entries.find(([name]) => name === 'rows') ?? ['items'];
      const part = (fields: typeof entries): Buffer => Buffer.from(fields.length > 0 ? toYaml(Object.fromEntries(fields)) : '');
      yield part(entries.filter(([name]) => name < key));
      yield Buffer.from(objects.length > 0 ? `${key}:\n` : `${key}: []\n`);
      for (const object of objects) {
        const [item] = document({}, [object])[key] as [unknown];
        yield Buffer.from(`${yamlItem(item, '')}\n`);
      }
      yield part(entries.filter(([name]) => name > key));
    },
    empty: (meta) => base.empty(meta),
  };
}

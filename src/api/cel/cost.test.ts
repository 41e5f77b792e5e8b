/** No rule holds the thread: whatever it asks for, it is stopped when it has cost what a rule may cost. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonSchema } from '../schema/schema.ts';
import { textOf } from '../validation/field-error.ts';
import { expressionErrors } from './definition-rules.ts';
import { compileRules, ruleErrors } from './rules.ts';

const text: JsonSchema = { type: 'string' };
const spec: JsonSchema = {
  type: 'object',
  properties: {
    list: { type: 'array', items: { type: 'integer' } },
    words: { type: 'array', items: text },
    objects: { type: 'array', items: { type: 'object', properties: { a: { type: 'integer' }, b: text } } },
    set: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
    map: { type: 'object', additionalProperties: text },
    any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    s: text,
    digits: text,
  },
};
/** As large as a body may be: fifty thousand values, or three megabytes of text. */
const many = Array.from({ length: 40_000 }, (_, i) => i);
const long = 'ab'.repeat(1_500_000);

const hostile: Readonly<Record<string, string>> = {
  'loops within loops': 'self.list.all(a, self.list.all(b, self.list.all(c, a + b + c >= 0)))',
  'loops that never find': 'self.list.exists(a, self.list.exists(b, a + b < 0))',
  'loops whose every step fails': 'self.list.all(a, self.list.all(b, 1 / 0 == 1))',
  'loops that make lists': 'self.list.map(a, self.list.map(b, self.list)).size() > 0',
  'loops with two variables': 'self.list.all(i, a, self.list.all(j, b, i + j >= 0)) && self.list.transformList(i, a, self.list).size() > 0',
  'texts that double': `[1].map(x, self.s).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).size() > 0 ${'&& (self.s + self.s + self.s).size() > 0'.repeat(50)}`,
  'lists that double': `[self.list].map(x, x + x)${'.map(x, x + x)'.repeat(30)}.size() > 0`,
  'texts compared in loops': 'self.list.all(a, self.s == self.s + "" && self.s < self.s + "x")',
  'texts searched in loops': 'self.list.all(a, !self.s.contains("abb") && self.s.indexOf("abb") < 0 && self.s.size() > 0)',
  'texts split in loops': 'self.list.all(a, self.s.split("").size() > 0)',
  'a text that is replaced by a long one': 'self.s.replace("a", self.s).size() > 0',
  'a list joined by a long text': 'self.words.join(self.s).size() > 0',
  'patterns in loops': 'self.list.all(a, self.s.matches("(a|b)*c$") || true)',
  'patterns made of texts': 'self.words.all(w, "x".matches(w + "{1,1000}{1,2}") || true)',
  'a pattern that looks at everything for each match': 'self.s.findAll("a.*c|a").size() > 0',
  'formats of long lists': 'self.list.all(a, "%s %s".format([self.list, self.s]).size() > 0)',
  'distinct values of long lists': 'self.list.distinct().size() > 0',
  'sets of long lists': 'sets.equivalent(self.list, self.list.map(x, x))',
  'lists searched in loops': 'self.list.all(a, !(-1 in self.list) && self.list.indexOf(-1) == -1)',
  'objects compared in loops': 'self.list.all(a, self.objects == self.objects.map(o, o))',
  'sets compared in loops': 'self.list.all(a, self.set == self.set.map(s, s))',
  'maps walked in loops': 'self.list.all(a, self.map.exists(k, true) && self.map.size() > 0)',
  'long lists sorted in loops': 'self.list.all(a, self.list.sort().size() > 0 && self.list.sortBy(x, -x).size() > 0)',
  'ranges in loops': 'self.list.all(a, lists.range(100000).size() > 0)',
  'a quantity with many digits': 'isQuantity(self.digits) || true',
  'a duration with many digits': 'duration(self.digits) == duration("1s") || true',
  'a version, an address and a URL with many digits':
    'isSemver(self.digits) || isIP(self.digits) || isCIDR(self.digits) || isURL(self.digits) || int(self.digits) == 1 || double(self.digits) > 0.0 || true',
  'what the schema does not know': 'self.list.all(a, self.any == self.any && self == self)',
  'optional values in loops': 'self.list.all(a, self.list.all(b, self.?s.optMap(x, x + x).hasValue()))',
};

/** Whatever the object, these cost little: their arguments are looked at only where they are short. */
const harmless: ReadonlySet<string> = new Set([
  'a quantity with many digits',
  'a duration with many digits',
  'a version, an address and a URL with many digits',
]);

const objects: readonly object[] = [
  { list: many, s: 'ab', digits: '1'.repeat(1_000_000) },
  { list: many.slice(0, 2_000), s: long, digits: '1' },
  {
    list: many.slice(0, 10_000),
    words: many.slice(0, 5_000).map((n) => `w${n}`),
    objects: many.slice(0, 2_000).map((a) => ({ a, b: 'b' })),
    set: many.slice(0, 5_000).map(String),
    map: Object.fromEntries(many.slice(0, 5_000).map((n) => [`k${n}`, 'v'])),
    any: { deep: many.slice(0, 5_000) },
    s: 'ab'.repeat(100_000),
    digits: '1'.repeat(100_000),
  },
];

describe('rules that cost much', () => {
  for (const [what, rule] of Object.entries(hostile))
    test(what, (t) => {
      const ruled = { ...spec, 'x-kubernetes-validations': [{ rule }] };
      const schema: JsonSchema = { type: 'object', properties: { spec: ruled } };
      assert.deepEqual(expressionErrors(schema, 'schema').map(textOf), []);
      const node = compileRules(schema)!;
      const ends: string[] = [];
      for (const object of objects) {
        const start = performance.now();
        const said = ruleErrors(node, { spec: object }).map(textOf);
        ends.push(said[0]?.includes('cost') ? 'stopped' : 'ended');
        t.diagnostic(`${Math.round(performance.now() - start)} ms: ${said[0]?.slice(0, 100)}`);
      }
      // Each of them was too much for one of the objects, or cannot be too much for any.
      assert.equal(ends.includes('stopped'), !harmless.has(what));
    });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outputFormat, outputOption, renderOutput, renderTable } from './output.ts';

test('renderTable() lines up columns, three spaces between them and none at the end', () => {
  const rows = [
    ['a', 'much longer', ''],
    ['bbbbbb', 'x', 'y'],
  ];
  assert.equal(
    renderTable(['ONE', 'TWO', 'THREE'], rows),
    'ONE      TWO           THREE\na        much longer\nbbbbbb   x             y\n',
  );
});

test('renderOutput() writes YAML and JSON of the document, not of the rows', () => {
  const document = { items: [1] };
  const render = (format: 'yaml' | 'json'): string => renderOutput(format, document, ['row'], [], String);
  assert.equal(render('yaml'), 'items:\n  - 1\n');
  assert.equal(render('json'), '{\n  "items": [\n    1\n  ]\n}\n');
});

test('-o takes each format, and a table is the default', () => {
  for (const format of ['table', 'wide', 'json', 'yaml', 'name']) {
    assert.equal(outputFormat(format), format);
    assert.ok(outputOption.choices?.includes(format));
  }
  assert.deepEqual([outputOption.short, outputOption.default], ['o', 'table']);
});

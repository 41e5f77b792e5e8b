/** The tables of all scenarios as `rules/` has them; `test/rules` sends packets through them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { printTable } from '../../../linux/nftables/testing/print.ts';
import { planScenario, readScenario } from '../../testing/scenario.ts';
import { renderTable } from './render-table.ts';

const folder = new URL('../../../../rules/scenarios/', import.meta.url);
for (const name of readdirSync(folder).filter((one) => existsSync(new URL(`${one}/nftables.nft`, folder)))) {
  test(`renderTable() writes what rules/scenarios/${name} has`, () => {
    const read = (file: string): string => readFileSync(new URL(`${name}/${file}`, folder), 'utf8');
    const scenario = readScenario(read('objects.yaml'), read('cluster.yaml'), read('packets.yaml'));
    assert.equal(printTable(renderTable(planScenario(scenario).plans.values(), scenario.node)), read('nftables.nft'));
  });
}

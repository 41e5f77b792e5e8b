/** Compares what a mode makes of the scenarios of `rules/` with its golden files; UPDATE_GOLDEN=1 writes them anew. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { planScenario } from '../../testing/scenario.ts';
import { goldenFile, scenarios } from '../../testing/scenarios.ts';
import type { ModeFace } from './face.ts';

export function testGoldenFiles(face: ModeFace): void {
  for (const named of scenarios) {
    const golden = goldenFile(named, face.golden);
    if (golden)
      test(`${face.name}: ${named.title} renders to its golden file`, () => {
        const { text } = face.render(planScenario(named.scenario, face.algorithms).plans.values(), named.scenario.node);
        if (process.env.UPDATE_GOLDEN) writeFileSync(golden, text);
        assert.equal(text, readFileSync(golden, 'utf8'));
      });
  }
}

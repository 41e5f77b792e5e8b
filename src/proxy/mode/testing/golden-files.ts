/** Compares what a mode makes of the scenarios of `rules/` with its golden files; UPDATE_GOLDEN=1 writes them anew. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { planScenario } from '../../testing/scenario.ts';
import { scenarioFile, scenarios } from '../../testing/scenarios.ts';
import type { ModeFace } from './face.ts';

export function testGoldenFiles(face: ModeFace): void {
  for (const { name, scenario } of scenarios)
    test(`${face.name}: ${name} renders to its golden file`, () => {
      const { text } = face.render(planScenario(scenario, face.algorithms).plans.values(), scenario.node);
      const golden = scenarioFile(name, face.golden);
      if (process.env.UPDATE_GOLDEN) writeFileSync(golden, text);
      assert.equal(text, readFileSync(golden, 'utf8'));
    });
}

/** The scenarios of `rules/`, read from their files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readScenario, type Scenario } from './scenario.ts';

const folder = new URL('../../../rules/scenarios/', import.meta.url);

export function scenarioFile(name: string, file: string): URL {
  return new URL(`${name}/${file}`, folder);
}

export const scenarios: readonly { readonly name: string; readonly scenario: Scenario }[] = readdirSync(folder)
  .filter((name) => existsSync(scenarioFile(name, 'packets.yaml')))
  .map((name) => {
    const [objects = '', cluster = '', packets = ''] = ['objects.yaml', 'cluster.yaml', 'packets.yaml'].map((file) =>
      readFileSync(scenarioFile(name, file), 'utf8'),
    );
    return { name, scenario: readScenario(objects, cluster, packets) };
  });

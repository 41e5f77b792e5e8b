/** The scenarios of `rules/`, read from their files, each in both families. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { TableFamily } from '../../linux/nftables/table.ts';
import { readScenario, type Scenario } from './scenario.ts';

const folder = new URL('../../../rules/scenarios/', import.meta.url);

export interface NamedScenario {
  /** `web`, and `web in IPv6`. */
  readonly title: string;
  /** Of the folder. */
  readonly name: string;
  readonly scenario: Scenario;
}

export function scenarioFile(name: string, file: string): URL {
  return new URL(`${name}/${file}`, folder);
}

function readAll(family: TableFamily): NamedScenario[] {
  const names = readdirSync(folder).filter((name) => existsSync(scenarioFile(name, 'packets.yaml')));
  return names.map((name) => {
    const [objects = '', cluster = '', packets = ''] = ['objects.yaml', 'cluster.yaml', 'packets.yaml'].map((file) =>
      readFileSync(scenarioFile(name, file), 'utf8'),
    );
    return { title: family === 'ip' ? name : `${name} in IPv6`, name, scenario: readScenario(objects, cluster, packets, family) };
  });
}

export const scenarios: readonly NamedScenario[] = [...readAll('ip'), ...readAll('ip6')];

/** The golden file of a mode; undefined where it would be the one of IPv4 with other addresses. `nftables.nft` is `nftables.ip6.nft` in IPv6. */
export function goldenFile({ name, scenario }: NamedScenario, golden: string): URL | undefined {
  if (scenario.node.family === 'ip') return scenarioFile(name, golden);
  return scenario.isDualStack ? scenarioFile(name, golden.replace(/\.(?=\w+$)/, '.ip6.')) : undefined;
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../observability/log.ts';
import { loadOnDemand } from './tools-on-demand.ts';

test('the tools are loaded once for all nodes that ask meanwhile, who hear of it when that is done', async () => {
  const loads: PromiseWithResolvers<boolean>[] = [];
  const instead = loadOnDemand('lab', silentLog, () => {
    const load = Promise.withResolvers<boolean>();
    loads.push(load);
    return load.promise;
  });
  assert.equal(await instead('registry.example'), undefined);
  assert.equal(loads.length, 0);
  let answered = 0;
  const answers = [1, 2].map(() => instead('fairlead.local').finally(() => answered++));
  await Promise.resolve();
  assert.deepEqual([loads.length, answered], [1, 0]);
  loads[0]?.resolve(true);
  for (const answer of answers) assert.match((await answer) ?? '', /was made on this machine just now/);
  const failed = instead('fairlead.local');
  loads[1]?.resolve(false);
  assert.match((await failed) ?? '', /cannot be made on this machine .*lab load tools/);
});

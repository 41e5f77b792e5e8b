import { after, before } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { openStore } from '../open.ts';
import { type Engine, testStore } from '../testing/conformance.ts';
import { TestRedis } from '../testing/redis.ts';
import { keys } from './library.ts';

let redis: TestRedis;
before(async () => {
  redis = await TestRedis.start();
});
after(() => redis[Symbol.asyncDispose]());

/** Redis takes its own clock for what expires: time passes for it when every moment of expiry comes nearer. */
async function comeNearer(seconds: number): Promise<void> {
  const script = `for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], ARGV[1], key) end`;
  await redis.command('EVAL', script, '1', keys.expiry, String(-1_000 * seconds));
}

const engine: Engine = {
  // So long that no real pause of the machine matters.
  ttlSeconds: 1_000,
  async open() {
    await redis.command('FLUSHALL');
    const clock = new FakeClock();
    const store = await openStore(redis.url, { clock });
    return {
      store,
      async pass(seconds) {
        await comeNearer(seconds);
        await clock.advance(seconds * 1_000);
      },
    };
  },
};

testStore('RedisStore', engine);

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConsumerOptions } from '../../src/index.ts';
import { chainedCopy } from '../support/consumer/chained-copy.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { seededRandom } from '../support/seeded-random.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 0x7fff_ffff));
/** All kinds, as `npm run soak` does; else one of each protocol, chosen by the seed. */
const isWhole = process.env['CHAINED_COPY'] === 'whole';
const records = Number(process.env['RECORDS'] ?? 6000);
const rounds = Number(process.env['ROUNDS'] ?? 12);

const protocols: Readonly<Record<string, Partial<ConsumerOptions>>> = {
  range: { partitionAssignors: ['range'] },
  'cooperative-sticky': { partitionAssignors: ['cooperative-sticky'] },
  consumer: { groupProtocol: 'consumer' },
};

// They mostly wait for members to come and go, each in groups of its own; at full length one after the other.
const concurrency = isWhole ? 1 : 3;

describe('Chained copy through groups of 7, 11 and 31 partitions', { skip: broker.skip, concurrency }, () => {
  const choose = seededRandom(seed);
  for (const [name, options] of Object.entries(protocols)) {
    const chosen = Math.floor(choose() * 4);
    const kinds = [0, 1, 2, 3].filter((kind) => isWhole || kind === chosen);
    for (const kind of kinds) {
      const isStatic = kind % 2 === 1;
      const isTransactional = kind >= 2;
      const what = `${isStatic ? 'static' : 'dynamic'} members${isTransactional ? ', in transactions' : ''}`;
      it(`loses nothing and repeats only what was not committed, by ${name}, with ${what}`, async () => {
        console.log(`SEED=${seed}`);
        const report = await chainedCopy({
          bootstrapServers: broker.bootstrapServers,
          replicationFactor: 1,
          records,
          rounds,
          options,
          isStatic,
          isTransactional,
          random: seededRandom(seed + kind),
          deadlineMs: isWhole ? 1_800_000 : 120_000,
        });
        console.log(`${name}, ${what}: ${JSON.stringify(report)}`);
        assert.equal(report.stopped, rounds);
        assert.ok(report.abandoned > 0, 'no member went in the middle of a batch');
        assert.ok(report.assigned >= 9 + rounds / 2, `members got partitions ${report.assigned} times`);
      });
    }
  }
});

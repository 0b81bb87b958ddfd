import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Kafka } from '../../../src/index.ts';
import { WorkerProcesses } from '../../support/consumer/share-jobs.ts';
import { ShareObserver } from '../../support/consumer/share-progress.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaJars, requireCommand } from '../../support/kafka/jars.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const brokers = await kafkaUnderTest({ brokers: 3, needs: ['control'] });
const total = Number(process.env['SHARE_JOBS'] ?? 4000);
/** In each, two processes are killed and two brokers bounced. */
const rounds = Number(process.env['SHARE_ROUNDS'] ?? 1);
const partitions = 3;
const deliveryLimit = 10;
const lockMs = 5000;
const jobsAtOnce = 60;
/** However many it took until all were at work. */
const leastJobsPerFault = 300;
const patienceMs = 180_000;

/** The jars with Kafka's client, or why there is no Java to run. */
const libs = ((): string | { readonly missing: string } => {
  try {
    requireCommand('java', ['-version'], 'Java 17');
    return kafkaJars('4.3.1', () => undefined);
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
})();

describe('Jobs of a share group', { skip: brokers.skip || (typeof libs === 'string' ? false : libs.missing) }, () => {
  let kafka: Kafka;
  let observer: ShareObserver;
  before(() => {
    kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
    observer = new ShareObserver(brokers.bootstrapServers);
  });
  after(async () => {
    await kafka.close();
    await observer[Symbol.asyncDispose]();
    await brokers.restore();
  });

  /**
   * Waits until the coordinator says that nothing is left.
   *
   * When brokers were bounced, what the coordinator of Kafka 4.3.1 stores of a partition may be older than what has been confirmed. Most often
   * it only counts too many jobs as left: nobody is given them, not even by another leader, and with the next acknowledgement the count is
   * right. Sometimes a member that comes when all others have left is given jobs as if for the first time. So members are started anew then,
   * there is one more job in each partition, and the figures say so.
   */
  async function noneLeft(groupId: string, topic: string, renew: () => Promise<void>): Promise<void> {
    const isDone = (): Promise<boolean> => observer.isDone(groupId, topic, partitions);
    try {
      await eventually(isDone, 'nothing to be left', 3 * lockMs);
    } catch {
      await renew();
      await eventually(isDone, 'nothing to be left', patienceMs);
    }
  }

  it(`are all done, ${total} of them by 12 members in 6 processes, two of them Java’s, while processes are killed and brokers bounced ${4 * rounds} times`, async (context) => {
    const [topic, groupId] = [`jobs-${randomUUID()}`, `jobs-${randomUUID()}`];
    const admin = kafka.admin();
    await admin.createTopics({ topic, partitions, replicationFactor: 3, configs: { 'min.insync.replicas': '2' } });
    await admin.incrementalAlterConfigs({
      type: 'group',
      name: groupId,
      set: {
        'share.auto.offset.reset': 'earliest',
        'share.record.lock.duration.ms': lockMs,
        'share.delivery.count.limit': deliveryLimit,
        'share.session.timeout.ms': 5000,
      },
    });
    const workers = new WorkerProcesses({
      bootstrapServers: brokers.bootstrapServers,
      groupId,
      topic,
      jars: typeof libs === 'string' ? libs : '',
    });
    const { ledger, killed } = workers;
    const beganMs = performance.now();
    const report: string[] = [];
    const tell = (what: string): void => {
      report.push(`${what} (${ledger.done.size} done, ${Math.round((performance.now() - beganMs) / 1000)} s)`);
    };
    let bounces = 0;
    const bounce = async (how: 'kill' | 'stop'): Promise<void> => {
      const victim = brokers.brokerIds[bounces++ % brokers.brokerIds.length] ?? 1;
      const before = ledger.done.size;
      await brokers[how](victim);
      await brokers.start(victim);
      tell(`broker ${victim} ${how === 'kill' ? 'killed' : 'stopped'}: ${ledger.done.size - before} done meanwhile`);
    };
    const faults = [
      async (round: number) => tell(await workers.killOne(round === 0 ? 0 : 5, patienceMs)),
      () => bounce('kill'),
      async (round: number) => tell(await workers.killOne(round + 1, patienceMs)),
      () => bounce('stop'),
    ];

    const producer = kafka.producer();
    let fed = 0;
    /** In small batches: members get whole ones. */
    const feed = async (to: number): Promise<void> => {
      const from = fed;
      fed = to;
      for (let first = from; first < to; first += jobsAtOnce) {
        const jobs = Array.from({ length: Math.min(jobsAtOnce, to - first) }, (_, at) => first + at);
        await producer.send(jobs.map((job) => ({ topic, partition: job % partitions, value: String(job) })));
      }
    };
    const isFed = (): boolean => ledger.done.size >= fed;
    try {
      // A JVM takes its time: without this, all could be over before it has joined.
      const isEachAtWork = async (): Promise<boolean> => {
        if (isFed()) await feed(fed + jobsAtOnce);
        return workers.isEachAtWork;
      };
      await eventually(isEachAtWork, 'every process to have done a job', patienceMs);
      tell('all processes at work');
      const [warmUp, parts] = [fed, faults.length * rounds];
      const rest = Math.max(total - warmUp, leastJobsPerFault * parts);
      for (let part = 0; part < parts; part++) {
        const begin = fed;
        const sent = feed(warmUp + Math.round((rest * (part + 1)) / parts));
        await eventually(() => ledger.done.size > begin + (fed - begin) / 5, 'a fifth of the next part', patienceMs);
        await faults[part % faults.length]?.(Math.floor(part / faults.length));
        await sent;
      }
      await eventually(isFed, 'all jobs to be done', patienceMs);
      tell('all done');
      await noneLeft(groupId, topic, async () => {
        tell('members started anew, and one more job in each partition');
        await workers.renew();
        await feed(fed + partitions);
        await eventually(isFed, 'one more job in each partition to be done', patienceMs);
      });
      tell('none left');
    } finally {
      // Brokers that say nothing must not hide what has failed.
      const progress = await observer.progress(groupId, topic).catch(() => []);
      const left = progress.map(({ partition, lag }) => `${lag} in ${partition}`).join(', ');
      const unconfirmed = ledger.done.size - ledger.accepted.size;
      context.diagnostic(
        `${fed} jobs: ${ledger.accepted.size} told of as accepted (${workers.acceptedByJava} by Java), ${unconfirmed} done by members that could not tell, ` +
          `left: ${left}; ${ledger.redelivered} redelivered, at most ${ledger.mostDeliveries} times delivered; ` +
          `${ledger.refused.size} refused (${ledger.refusals}); ${killed.length} processes killed, ${bounces} brokers bounced: ${report.join('; ')}`,
      );
      await workers.stop();
    }

    assert.equal(ledger.done.size, fed);
    assert.ok(ledger.mostDeliveries < deliveryLimit, 'no job was given up');
    assert.deepEqual(workers.unexplained(), []);
    assert.ok(workers.acceptedByJava > 0, 'Java has worked, too');
    assert.deepEqual([killed.length, bounces], [2 * rounds, 2 * rounds]);
    assert.ok(ledger.redelivered > 0);
    for (const { name, errors } of workers.all) assert.equal(errors, '', name);
  });
});

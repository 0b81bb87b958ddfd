import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  acknowledgeTypes,
  AcquiredRecordsMachine,
  type AcknowledgedRange,
  type AcknowledgeTypeNumber,
} from '../../../../src/consumer/share/acquired-records-machine.ts';
import { seededRandom } from '../../../support/seeded-random.ts';
import { SimulatedSharePartition, type SimulatedAcquisition } from './simulated-share-partition.ts';

const LOCK_MS = 100;
/** How long each request takes one way. */
const LATENCY_MS = 3;
const firstSeed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const seeds = process.env['SEED'] === undefined ? 150 : 1;
const types: readonly AcknowledgeTypeNumber[] = [
  acknowledgeTypes.accept,
  acknowledgeTypes.release,
  acknowledgeTypes.reject,
];

interface Acquired {
  readonly acquisition: SimulatedAcquisition;
  readonly machine: AcquiredRecordsMachine;
  /** Records that can be read of it, in order. */
  readonly records: readonly number[];
  /** Behind the last whole batch that came. */
  readonly end: number;
  read: number;
}

/** A consumer that does what it likes, and a leader that checks every step. */
class Schedule {
  readonly counts = { handed: 0, acknowledged: 0, renewed: 0, expired: 0, returned: 0, ended: 0, gaps: 0 };
  readonly #random: () => number;
  readonly #partition: SimulatedSharePartition;
  readonly #acquired: Acquired[] = [];
  #nowMs = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const hasRecord = Array.from({ length: 300 }, () => this.#random() > 0.2);
    this.#partition = new SimulatedSharePartition(hasRecord, LOCK_MS);
  }

  run(): void {
    for (let step = 0; step < 300; step++) {
      this.#nowMs += this.#pick([0, 0, 0, 1, 5, 20]);
      this.#look();
      this.#step();
    }
    this.#close();
  }

  #step(): void {
    const one = this.#pick(this.#acquired);
    const chance = this.#random();
    if (one === undefined || chance < 0.1) this.#acquire();
    else if (chance < 0.5) this.#handOut(one);
    else if (chance < 0.6) this.#acknowledge(one, this.#pick(types));
    else if (chance < 0.7) one.machine.acknowledgeHeld(this.#pick(types));
    else if (chance < 0.76) this.#acknowledge(one, acknowledgeTypes.renew);
    else if (chance < 0.8) one.machine.renewBefore(this.#nowMs + LOCK_MS / 2);
    else if (chance < 0.84) this.#renew(one);
    else if (chance < 0.86) one.machine.releaseUnread();
    else if (chance < 0.87) this.#end(one);
    else this.#send(one);
  }

  /** A fetch: it is answered a moment later, and its locks count from when the leader had it. */
  #acquire(): void {
    const startMs = this.#nowMs;
    const from = Math.floor(this.#random() * 300);
    const acquisition = this.#partition.acquire(from, 1 + Math.floor(this.#random() * 30), startMs + LATENCY_MS);
    if (acquisition === undefined) return;
    this.#nowMs += 2 * LATENCY_MS;
    const { ranges, baseOffset } = acquisition;
    const offsets = ranges.flatMap(({ first, last }) =>
      Array.from({ length: last - first + 1 }, (_, at) => first + at),
    );
    const records = offsets.filter((index) => this.#partition.offsets[baseOffset + index]?.hasRecord === true);
    // Now and then the last batch came in part.
    const whole = this.#random() < 0.8 ? records.length : Math.floor(this.#random() * records.length);
    this.#acquired.push({
      acquisition,
      machine: new AcquiredRecordsMachine(ranges, startMs + LOCK_MS, startMs + LOCK_MS / 2),
      records: records.slice(0, whole),
      end: whole === records.length ? (offsets.at(-1) ?? 0) + 1 : (records[whole] ?? 0),
      read: 0,
    });
  }

  #handOut(one: Acquired): void {
    const index = one.records[one.read];
    if (!one.machine.hasUnread) return;
    if (index === undefined) return one.machine.finish(one.end);
    one.read++;
    const { baseOffset } = one.acquisition;
    const deliveryCount = one.machine.deliveryCountOf(index);
    assert.equal(deliveryCount, this.#partition.offsets[baseOffset + index]?.deliveryCount);
    assert.ok(one.machine.handOut(index), `the record at ${index} is handed out`);
    assert.ok(this.#partition.isLocked(one.acquisition, index, this.#nowMs), `the record at ${index} is locked`);
    this.counts.handed++;
  }

  #acknowledge(one: Acquired, type: AcknowledgeTypeNumber): void {
    // One of those that were handed out, most of the time: few others can be acknowledged.
    const given = this.#random() < 0.7 ? one.records[Math.floor(this.#random() * one.read)] : undefined;
    const index = given ?? Math.floor(this.#random() * 30);
    const isHeld = one.machine.isHeld(index);
    assert.equal(one.machine.acknowledge(index, type), isHeld);
    assert.equal(one.machine.isHeld(index), isHeld && type === acknowledgeTypes.renew);
  }

  #renew(one: Acquired): void {
    const startMs = this.#nowMs;
    const ranges = one.machine.takeRenewals();
    this.#partition.acknowledge(one.acquisition, ranges, startMs + LATENCY_MS);
    // Meanwhile the user may be done with some of them.
    if (this.#random() < 0.5) this.#acknowledge(one, this.#pick(types));
    one.machine.handleRenewed(ranges, this.#random() < 0.8 ? startMs + LOCK_MS : undefined);
    this.counts.renewed += ranges.length;
  }

  #send(one: Acquired): void {
    this.#deliver(one, one.machine.takeQueued(this.#nowMs));
  }

  #deliver({ acquisition }: Acquired, ranges: readonly AcknowledgedRange[]): void {
    this.#partition.acknowledge(acquisition, ranges, this.#nowMs + LATENCY_MS);
    this.counts.acknowledged += ranges.length;
    this.counts.gaps += ranges.filter(({ type }) => type === acknowledgeTypes.gap).length;
  }

  /** What the driver does before anything else. */
  #look(): void {
    for (const { machine } of this.#acquired) {
      this.counts.returned += machine.tick(this.#nowMs);
      const lost = machine.expire(this.#nowMs);
      if (lost !== undefined) this.counts.expired += lost.unread + lost.held + lost.queued.length;
      assert.ok(machine.nextDeadlineMs() > this.#nowMs, 'after a look, the next deadline lies ahead');
    }
  }

  #end(one: Acquired): void {
    this.#partition.release(one.acquisition);
    one.machine.end();
    assert.ok(one.machine.isDone && one.machine.heldCount === 0);
    this.#acquired.splice(this.#acquired.indexOf(one), 1);
    this.counts.ended++;
  }

  #close(): void {
    this.#look();
    for (const one of this.#acquired) {
      one.machine.releaseAll();
      this.#send(one);
      assert.ok(one.machine.isDone, 'nothing is left to do');
      assert.deepEqual(this.#partition.lockedOf(one.acquisition, this.#nowMs + LATENCY_MS), [], 'no lock is forgotten');
    }
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }
}

describe('AcquiredRecordsMachine', () => {
  it('acknowledges each record at most once per lock, hands none out without one, and forgets none, whatever the schedule', () => {
    const total = { handed: 0, acknowledged: 0, renewed: 0, expired: 0, returned: 0, ended: 0, gaps: 0 };
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      const schedule = new Schedule(seed);
      try {
        schedule.run();
      } catch (error) {
        throw new Error(`with SEED=${seed}`, { cause: error });
      }
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += schedule.counts[key];
    }
    // Every kind of event has had its chance to break the rules.
    for (const [kind, count] of Object.entries(total)) assert.ok(count > 0, `no schedule has ${kind} anything`);
  });
});

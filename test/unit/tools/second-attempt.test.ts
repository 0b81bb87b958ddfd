import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nothing, type Counts } from '../../../tools/test/counts.ts';
import { mayBeUnsteady, runWithSecondAttempt } from '../../../tools/test/second-attempt.ts';

const passed: Counts = { ...nothing, passed: 1 };

function failed(what: string): Counts {
  return { ...nothing, failures: [{ where: 'a.test.ts:1', what }] };
}

/** Answers for each file what it says at its first run, its second, and so on. */
function script(answers: Readonly<Record<string, readonly Counts[]>>): {
  runs: string[];
  runFile: (file: string) => Promise<Counts>;
} {
  const runs: string[] = [];
  return {
    runs,
    runFile: (file) => {
      const before = runs.filter((run) => run === file).length;
      runs.push(file);
      return Promise.resolve(answers[file]?.[before] ?? passed);
    },
  };
}

describe('runWithSecondAttempt', () => {
  it('tells of a file that passes at its second run as unsteady, after all others ran', async () => {
    const { runs, runFile } = script({ a: [failed('first')] });
    const counts = await runWithSecondAttempt(['a', 'b', 'c'], 1, runFile);
    assert.deepEqual(runs, ['a', 'b', 'c', 'a']);
    assert.deepEqual(counts, { ...nothing, passed: 3, unsteady: failed('first').failures });
  });

  it('counts a file that fails twice as failed, with what it said first', async () => {
    const { runFile } = script({ a: [failed('first'), failed('second')] });
    assert.deepEqual(await runWithSecondAttempt(['a', 'b'], 2, runFile), { ...failed('first'), passed: 1 });
  });

  it('gives no second run when many fail', async () => {
    const names = ['a', 'b', 'c'];
    const { runs, runFile } = script(Object.fromEntries(names.map((name) => [name, [failed(name)]])));
    const counts = await runWithSecondAttempt(names, 1, runFile);
    assert.equal(counts.failures.length, 3);
    assert.deepEqual(runs, names);
  });

  it('gives as many their second run as it is told, and counts who fails twice', async () => {
    const { runFile } = script({ a: [failed('a')], b: [failed('b')], c: [failed('c'), failed('c again')] });
    const counts = await runWithSecondAttempt(['a', 'b', 'c', 'd'], 2, runFile, 3);
    assert.deepEqual(counts.failures, failed('c').failures);
    assert.equal(counts.unsteady.length, 2);
  });
});

describe('mayBeUnsteady', () => {
  it('is two, or a quarter of the files that use real brokers', () => {
    assert.deepEqual(
      [mayBeUnsteady(100, false), mayBeUnsteady(1, true), mayBeUnsteady(11, true), mayBeUnsteady(27, true)],
      [2, 2, 3, 7],
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  anyOf,
  boolean,
  findOptionProblem,
  integer,
  listOf,
  nonEmptyString,
  oneOf,
  type OptionRule,
} from '../../../src/util/option-rules.ts';

const rules: Record<string, OptionRule> = {
  lingerMs: integer(0, 900_000),
  acks: oneOf([0, 1, 'all']),
  autoCommit: anyOf(boolean, oneOf(['marked'])),
  topics: listOf(nonEmptyString),
  password: nonEmptyString,
};

describe('findOptionProblem', () => {
  it('accepts what the rules allow, and undefined as not given', () => {
    assert.equal(
      findOptionProblem({ lingerMs: 5, acks: 'all', autoCommit: 'marked', topics: ['a'] }, rules, 'it'),
      undefined,
    );
    assert.equal(findOptionProblem({ lingerMs: undefined }, rules, 'it'), undefined);
    assert.equal(findOptionProblem(undefined, rules, 'it'), undefined);
  });

  it('says what the value was and what it must be', () => {
    const problem = findOptionProblem({ lingerMs: -1 }, rules, 'the producer');
    assert.deepEqual(problem, {
      code: 'INVALID_OPTION',
      message: 'Cannot use lingerMs -1: it must be an integer from 0 to 900000',
    });
    assert.match(
      findOptionProblem({ acks: 'most' }, rules, 'it')?.message ?? '',
      /"most": it must be one of 0, 1, "all"/,
    );
    assert.match(findOptionProblem({ topics: ['a', ''] }, rules, 'it')?.message ?? '', /a list, each entry a string/);
  });

  it('refuses an unknown name with the nearest known one', () => {
    const problem = findOptionProblem({ lingrMs: 5 }, rules, 'the producer');
    assert.equal(problem?.code, 'UNKNOWN_OPTION');
    assert.match(problem.message, /option lingrMs of the producer.*did you mean lingerMs\?/);
  });

  it('finds the name behind a dotted one', () => {
    assert.match(findOptionProblem({ 'linger.ms': 5 }, rules, 'it')?.message ?? '', /did you mean lingerMs\?/);
  });

  it('takes advice for names of other clients', () => {
    const problem = findOptionProblem({ brokers: [] }, rules, 'it', { brokers: 'use bootstrapServers' });
    assert.match(problem?.message ?? '', /use bootstrapServers/);
  });

  it('is not fooled by names that every object inherits', () => {
    assert.equal(findOptionProblem({ constructor: 1 }, rules, 'it')?.code, 'UNKNOWN_OPTION');
    assert.equal(findOptionProblem(JSON.parse('{"__proto__": 1}'), rules, 'it')?.code, 'UNKNOWN_OPTION');
  });

  it('never shows a value that may be a secret', () => {
    const problem = findOptionProblem({ password: '' }, rules, 'it');
    assert.match(problem?.message ?? '', /Cannot use password \(a string\)/);
  });

  it('refuses options that are no object', () => {
    assert.equal(findOptionProblem('localhost:9092', rules, 'it')?.code, 'INVALID_OPTION');
    assert.equal(findOptionProblem(null, rules, 'it')?.code, 'INVALID_OPTION');
  });
});

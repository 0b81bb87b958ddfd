import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ShareSessionMachine } from '../../../../src/consumer/share/share-session-machine.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';

const wanted = (...partitions: readonly number[]): Map<string, { topicId: string; partition: number }> =>
  new Map(partitions.map((partition) => [`t:${partition}`, { topicId: 't', partition }]));

function open(...partitions: readonly number[]): ShareSessionMachine {
  const session = new ShareSessionMachine();
  session.takeFetch(wanted(...partitions));
  session.handleAnswer();
  return session;
}

describe('ShareSessionMachine', () => {
  it('names all partitions first, then what is new and what is not wanted any more', () => {
    const session = new ShareSessionMachine();
    assert.equal(session.isOpen, false);
    const first = session.takeFetch(wanted(0, 1));
    assert.deepEqual([first.epoch, first.added.length, first.forgotten], [0, 2, []]);
    session.handleAnswer();
    assert.ok(session.isOpen);
    const second = session.takeFetch(wanted(1, 2));
    assert.deepEqual(
      [
        second.epoch,
        second.added.map(({ partition }) => partition),
        second.forgotten.map(({ partition }) => partition),
      ],
      [1, [2], [0]],
    );
  });

  it('counts acknowledgements as requests of the session', () => {
    const session = open(0);
    assert.equal(session.takeAcknowledge(), 1);
    session.handleAnswer();
    assert.equal(session.takeFetch(wanted(0)).epoch, 2);
  });

  it('leaves nothing behind where the broker knows of no session', () => {
    const session = open(0);
    session.handleRefusal(codes.SHARE_SESSION_NOT_FOUND);
    assert.deepEqual([session.isOpen, session.mayLinger], [false, false]);
    assert.equal(session.takeFetch(wanted(0)).added.length, 1, 'all are named again');
    session.handleRefusal(codes.SHARE_SESSION_LIMIT_REACHED);
    assert.equal(session.mayLinger, false, 'none had begun');
  });

  it('may have left a session behind after a refusal in one, or after a request without an answer', () => {
    const refused = open(0);
    refused.handleRefusal(codes.INVALID_SHARE_SESSION_EPOCH);
    assert.deepEqual([refused.isOpen, refused.mayLinger], [false, true]);
    const failed = new ShareSessionMachine();
    failed.takeFetch(wanted(0));
    failed.handleFailure();
    assert.deepEqual([failed.isOpen, failed.mayLinger], [false, true]);
    failed.handleFinal();
    assert.equal(failed.mayLinger, false);
  });
});

import { apiByKey } from '../../src/protocol/api-by-key.ts';
import type { FakePeer, FakeRequest, FakeScript } from './fake-server.ts';

/** The topic `t` with one partition, as the fake broker of {@link brokerScript} has it. */
const fakeTopic: { readonly name: string; readonly topicId: string } = {
  name: 't',
  topicId: 'dG9waWMtaWQtMDAwMDAwMQ',
};

/** Answers of the fake broker that a test replaces, by the API's name: a message, or what to do instead of answering. */
export type FakeAnswers = Readonly<
  Record<string, (request: FakeRequest, peer: FakePeer) => object | Promise<object> | undefined>
>;

/**
 * A broker over a real socket: it leads the one partition of topic `t`, coordinates every group, and takes everything that is
 * sent to it; its log is empty. `answers` replace what it says.
 *
 * @param seen gets the name of the API of each request
 * @param port where the server listens, known only once it does
 */
export function brokerScript(port: () => number, answers: FakeAnswers = {}, seen: string[] = []): FakeScript {
  return async (peer) => {
    for (;;) {
      const request = await peer.request();
      const api = apiByKey(request.apiKey);
      if (api === undefined) throw new Error(`the fake broker got API ${request.apiKey}`);
      seen.push(api.name);
      const replaced = answers[api.name];
      const answer = replaced === undefined ? plainAnswer(api.name, port()) : await replaced(request, peer);
      if (answer !== undefined) peer.answer(api, request, answer);
    }
  };
}

function plainAnswer(api: string, port: number): object {
  const here = { nodeId: 1, host: '127.0.0.1', port };
  switch (api) {
    case 'ApiVersions':
      return {
        errorCode: 0,
        apiKeys: Array.from({ length: 70 }, (_, apiKey) => apiByKey(apiKey))
          .filter((known) => known !== undefined)
          .map(({ key, minVersion, maxVersion }) => ({ apiKey: key, minVersion, maxVersion })),
      };
    case 'Metadata': {
      const partitions = [{ partitionIndex: 0, leaderId: 1, leaderEpoch: 0, replicaNodes: [1], isrNodes: [1] }];
      return { clusterId: 'fake', controllerId: 1, brokers: [here], topics: [{ ...fakeTopic, partitions }] };
    }
    case 'DescribeCluster':
      return { clusterId: 'fake', controllerId: 1, brokers: [{ ...here, brokerId: 1 }] };
    case 'FindCoordinator':
      return { coordinators: [{ ...here, key: 'g' }] };
    case 'InitProducerId':
      return { producerId: 1n, producerEpoch: 0 };
    case 'ListOffsets':
      return { topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 0n }] }] };
    case 'LeaveGroup':
      return {};
    default:
      throw new Error(`the fake broker has no answer to ${api}`);
  }
}

/** A Fetch answer for partition 0 of topic `t`. */
export function fetched(records: Buffer, errorCode = 0): object {
  const partitions = [{ partitionIndex: 0, errorCode, highWatermark: 1n, lastStableOffset: 1n, records }];
  return { responses: [{ topicId: fakeTopic.topicId, partitions }] };
}

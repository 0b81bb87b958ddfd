import { AlterConfigs } from '../../../../src/protocol/generated/alter-configs.ts';
import { DescribeConfigs } from '../../../../src/protocol/generated/describe-configs.ts';
import { IncrementalAlterConfigs } from '../../../../src/protocol/generated/incremental-alter-configs.ts';
import { ListConfigResources } from '../../../../src/protocol/generated/list-config-resources.ts';
import { DescribeCluster } from '../../../../src/protocol/generated/describe-cluster.ts';
import { eventually } from '../../eventually.ts';
import type { RawConnection } from '../raw-kafka.ts';
import { normalise, type Scenario } from '../scenario.ts';

const topicType = 2;
const brokerType = 4;
const groupType = 32;

/** One setting of a resource, once it is as expected: a change reaches the brokers after its answer. */
async function settled(
  broker: RawConnection,
  resourceType: number,
  resourceName: string,
  key: string,
  expected: (value: string | null | undefined) => boolean,
): Promise<unknown> {
  return eventually(async () => {
    const resources = [{ resourceType, resourceName, configurationKeys: [key] }];
    const answer = await broker.send(DescribeConfigs, 4, { resources, includeSynonyms: true });
    const [config] = answer.results[0]?.configs ?? [];
    return expected(config?.value) && { ...config };
  });
}

/** Reading and changing settings. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'DescribeConfigs tells every setting of a topic as each version can',
    async run(kafka) {
      const broker = await kafka.connect();
      // Settings that the brokers of the tests are started with would tell more of them than of Kafka.
      const preset = ['min.insync.replicas', 'unclean.leader.election.enable'];
      const topic = await kafka.topic(1, { 'retention.ms': '1234', 'cleanup.policy': 'compact,delete' });
      const resources = [{ resourceType: topicType, resourceName: topic.name, configurationKeys: null }];
      const told: unknown[] = [];
      for (const version of [1, 3, 4]) {
        const answer = await broker.send(DescribeConfigs, version, { resources, includeSynonyms: version > 1 });
        const [result] = answer.results;
        const configs = [...(result?.configs ?? [])]
          .filter(({ name }) => !preset.includes(name))
          .sort((a, b) => (a.name < b.name ? -1 : 1));
        told.push(normalise({ ...result, configs }, { topic: topic.name }));
      }
      return told;
    },
  },
  {
    name: 'DescribeConfigs tells some settings, and refuses what is not there',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await kafka.topic();
      const ask = async (
        resourceType: number,
        resourceName: string,
        configurationKeys: string[] | null,
      ): Promise<unknown> => {
        const resources = [{ resourceType, resourceName, configurationKeys }];
        const answer = await broker.send(DescribeConfigs, 4, { resources });
        const sorted = [...(answer.results[0]?.configs ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
        const configs = sorted.map(({ name, value, configSource, readOnly }) => [name, value, configSource, readOnly]);
        return normalise({ ...answer.results[0], configs }, { topic: topic.name });
      };
      const group = kafka.name('group');
      return [
        await ask(topicType, topic.name, ['retention.ms', 'no.such.setting']),
        await ask(topicType, 'there-is-none', null),
        await ask(brokerType, '1', ['num.io.threads', 'log.cleaner.threads', 'message.max.bytes']),
        await ask(brokerType, '99', null),
        await ask(brokerType, 'one', null),
        normalise(await ask(groupType, group, ['consumer.session.timeout.ms', 'share.auto.offset.reset']), { group }),
        await ask(3, 'x', null),
      ];
    },
  },
  {
    name: 'IncrementalAlterConfigs sets, deletes, appends and subtracts',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await kafka.topic();
      const told: unknown[] = [];
      const change = async (name: string, configOperation: number, value: string | null): Promise<void> => {
        const resources = [
          { resourceType: topicType, resourceName: topic.name, configs: [{ name, configOperation, value }] },
        ];
        const answer = await broker.send(IncrementalAlterConfigs, 1, { resources });
        told.push(normalise(answer.responses, { topic: topic.name }));
      };
      const see = async (key: string, expected: string): Promise<void> => {
        told.push(await settled(broker, topicType, topic.name, key, (value) => value === expected));
      };
      await change('retention.ms', 0, '1000');
      await see('retention.ms', '1000');
      await change('retention.ms', 1, null);
      await see('retention.ms', '604800000');
      await change('cleanup.policy', 2, 'compact');
      await see('cleanup.policy', 'delete,compact');
      await change('cleanup.policy', 3, 'delete');
      await see('cleanup.policy', 'compact');
      await change('retention.ms', 2, '5');
      await change('retention.ms', 9, '5');
      await change('retention.ms', 0, null);
      await change('retention.ms', 0, 'soon');
      await change('no.such.setting', 0, '5');
      await change('no.such.setting', 1, null);
      return told;
    },
  },
  {
    name: 'IncrementalAlterConfigs refuses resources that are not there, are named twice, or cannot change',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await kafka.topic();
      const configs = [{ name: 'retention.ms', configOperation: 0, value: '5' }];
      const ask = async (
        ...resources: { resourceType: number; resourceName: string; configs: object[] }[]
      ): Promise<unknown> => {
        const answer = await broker.send(IncrementalAlterConfigs, 1, { resources });
        return normalise(answer.responses, { topic: topic.name });
      };
      const of = (resourceType: number, resourceName: string, set: object[] = configs) => ({
        resourceType,
        resourceName,
        configs: set,
      });
      return [
        await ask(of(topicType, 'there-is-none')),
        await ask(of(topicType, topic.name), of(topicType, topic.name)),
        await ask(of(brokerType, '1', [{ name: 'log.dir', configOperation: 0, value: 'x' }])),
        await ask(of(brokerType, '1', [{ name: 'no.such.setting', configOperation: 0, value: 'x' }])),
        await ask(of(brokerType, '99', [{ name: 'message.max.bytes', configOperation: 0, value: '5000000' }])),
        await ask(of(3, 'x')),
        await ask(
          of(topicType, topic.name, [
            { name: 'retention.ms', configOperation: 0, value: '5' },
            { name: 'retention.ms', configOperation: 0, value: '6' },
          ]),
        ),
      ];
    },
  },
  {
    name: 'AlterConfigs puts back what it does not name',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await kafka.topic(1, { 'retention.ms': '1234' });
      const resources = [
        { resourceType: topicType, resourceName: topic.name, configs: [{ name: 'segment.ms', value: '99999' }] },
      ];
      const answer = await broker.send(AlterConfigs, 2, { resources });
      return [
        normalise(answer.responses, { topic: topic.name }),
        await settled(broker, topicType, topic.name, 'segment.ms', (value) => value === '99999'),
        await settled(broker, topicType, topic.name, 'retention.ms', (value) => value === '604800000'),
      ];
    },
  },
  {
    name: 'Settings of a group and of all brokers are kept and listed',
    async run(kafka) {
      const broker = await kafka.connect();
      const group = kafka.name('group');
      const set = async (
        resourceType: number,
        resourceName: string,
        name: string,
        value: string | null,
      ): Promise<unknown> => {
        const configs = [{ name, configOperation: value === null ? 1 : 0, value }];
        const answer = await broker.send(IncrementalAlterConfigs, 1, {
          resources: [{ resourceType, resourceName, configs }],
        });
        return normalise(answer.responses, { group });
      };
      const told = [
        await set(groupType, group, 'share.auto.offset.reset', 'earliest'),
        await settled(broker, groupType, group, 'share.auto.offset.reset', (value) => value === 'earliest'),
        await set(groupType, group, 'share.auto.offset.reset', 'never'),
        await set(groupType, '', 'share.auto.offset.reset', 'earliest'),
        await set(brokerType, '', 'log.cleaner.threads', '2'),
        await settled(broker, brokerType, '1', 'log.cleaner.threads', (value) => value === '2'),
        await settled(broker, brokerType, '', 'log.cleaner.threads', (value) => value === '2'),
        await set(brokerType, '', 'log.cleaner.threads', null),
        await settled(broker, brokerType, '1', 'log.cleaner.threads', (value) => value === '1'),
      ];
      const list = await broker.send(ListConfigResources, 1, { resourceTypes: [groupType] });
      return [...told, list.configResources.some(({ resourceName }) => resourceName === group)];
    },
  },
  {
    name: 'DescribeCluster tells the brokers',
    async run(kafka) {
      const broker = await kafka.connect();
      const told: unknown[] = [];
      for (const version of [0, 1, 2]) {
        const { clusterId, brokers, ...rest } = await broker.send(DescribeCluster, version, {});
        const known = brokers.map(({ brokerId, rack, isFenced }) => ({ brokerId, rack, isFenced }));
        told.push(normalise({ ...rest, clusterId: clusterId.length, brokers: known }));
      }
      for (const endpointType of [2, 7])
        told.push(normalise({ ...(await broker.send(DescribeCluster, 2, { endpointType })), clusterId: '' }));
      return told;
    },
  },
];

import type { RequestContext } from '../handler.ts';
import { configDefaults } from '../state/config-defaults.ts';
import type { ConfigRow } from '../state/config-row.ts';
import { refusal, type Refusal } from '../state/topic-plans.ts';
import type { ConfigOwner } from './config-entries.ts';
import { groupLimitProblem } from './group-limits.ts';

/** What has settings, as Kafka numbers it. */
export const resourceTypes = { topic: 2, broker: 4, brokerLogger: 8, clientMetrics: 16, group: 32 } as const;

/** Something whose settings are read and changed. */
export interface ConfigResource {
  /** For reading; undefined where only what was set is there: all brokers together. */
  readonly owner: ConfigOwner | undefined;
  /** What was set. */
  readonly configs: Map<string, string>;
  /** Which settings there are. */
  readonly definitions: ReadonlyMap<string, ConfigRow>;
  /** Whether settings that Kafka does not know are kept, too: a plug-in may know them. */
  readonly takesOthers: boolean;
  /** What is wrong with a value beyond the rules of the setting itself; undefined if nothing. */
  problem?(name: string, value: string): string | undefined;
  /** Keeps what was changed. */
  save(configs: ReadonlyMap<string, string>): void;
}

/** The resource of this type and name, or why it cannot be had here. */
export function findConfigResource(type: number, name: string, context: RequestContext): ConfigResource | Refusal {
  switch (type) {
    case resourceTypes.topic:
      return topicResource(name, context);
    case resourceTypes.broker:
      return brokerResource(name, context);
    case resourceTypes.group:
      return groupResource(name, context);
    default:
      return refusal('INVALID_REQUEST', `There are no settings of type ${type} here`);
  }
}

function topicResource(name: string, { cluster }: RequestContext): ConfigResource | Refusal {
  const topic = cluster.topics.get(name);
  if (topic === undefined) return refusal('UNKNOWN_TOPIC_OR_PARTITION', `There is no topic "${name}"`);
  const { configs } = topic;
  return {
    owner: { kind: 'topic', configs },
    configs,
    definitions: configDefaults.topic,
    takesOthers: false,
    save: (changed) => {
      replace(configs, changed);
      cluster.changed.notify();
    },
  };
}

function brokerResource(name: string, { cluster, broker }: RequestContext): ConfigResource | Refusal {
  const save = (configs: Map<string, string>) => (changed: ReadonlyMap<string, string>) => {
    replace(configs, changed);
    cluster.changed.notify();
  };
  if (name === '') {
    const configs = cluster.dynamicConfigs;
    return { owner: undefined, configs, definitions: configDefaults.broker, takesOthers: true, save: save(configs) };
  }
  if (name !== String(broker.id)) return refusal('INVALID_REQUEST', `This is broker ${broker.id}, not "${name}"`);
  const { configs } = broker;
  return {
    owner: { kind: 'broker', broker },
    configs,
    definitions: configDefaults.broker,
    takesOthers: true,
    save: save(configs),
  };
}

function groupResource(name: string, { cluster }: RequestContext): ConfigResource | Refusal {
  if (name === '') return refusal('INVALID_REQUEST', 'A group has a name');
  const configs = cluster.groupConfigs.get(name) ?? new Map<string, string>();
  return {
    owner: { kind: 'group', configs },
    configs,
    definitions: configDefaults.group,
    takesOthers: false,
    problem: (setting, value) => groupLimitProblem(cluster, setting, value),
    save: (changed) => {
      replace(configs, changed);
      if (configs.size === 0) cluster.groupConfigs.delete(name);
      else cluster.groupConfigs.set(name, configs);
      cluster.changed.notify();
    },
  };
}

function replace(configs: Map<string, string>, changed: ReadonlyMap<string, string>): void {
  configs.clear();
  for (const [name, value] of changed) configs.set(name, value);
}

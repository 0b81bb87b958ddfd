import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import {
  DescribeConfigs,
  type DescribeConfigsRequestDescribeConfigsResource,
  type DescribeConfigsResponseDescribeConfigsResult,
} from '../../protocol/generated/describe-configs.ts';
import type { Input } from '../../protocol/api.ts';
import { configEntries, configSource, configTypeOf, type ConfigEntry } from '../configs/config-entries.ts';
import { findConfigResource } from '../configs/config-resource.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { isRefusal, type Refusal } from '../state/topic-plans.ts';

/**
 * DescribeConfigs, versions 1-4.
 *
 * Does: all settings of topics, brokers (one, or what was set for all by the empty name) and groups, with what they inherit from.
 * Leaves out: the texts of Kafka's documentation, log levels, client metrics.
 * v1 synonyms · v3 types and documentation · v4 flexible
 */
export const describeConfigsHandler: AnyHandler = defineHandler(DescribeConfigs, (request, context) => ({
  results: request.resources.map((resource) => describe(resource, request.includeSynonyms, context)),
}));

function describe(
  wanted: DescribeConfigsRequestDescribeConfigsResource,
  includeSynonyms: boolean,
  context: RequestContext,
): Input<DescribeConfigsResponseDescribeConfigsResult> {
  const { resourceType, resourceName, configurationKeys } = wanted;
  const resource = findConfigResource(resourceType, resourceName, context);
  if (isRefusal(resource))
    return { ...resource, errorMessage: textOf(resource), resourceType, resourceName, configs: [] };
  const entries =
    resource.owner === undefined
      ? [...resource.configs].map(([name, value]) => setForAll(name, value))
      : configEntries(context.cluster, resource.owner);
  // No names at all stand for every setting, as a list of none did in the clients before v1.
  const all = configurationKeys === null || configurationKeys.length === 0;
  const configs = entries.filter(({ name }) => all || configurationKeys.includes(name));
  return {
    errorCode: 0,
    errorMessage: '',
    resourceType,
    resourceName,
    configs: configs.map((entry) => answerOf(entry, includeSynonyms, context.version)),
  };
}

function answerOf(entry: ConfigEntry, includeSynonyms: boolean, version: number): object {
  const { configType, synonyms, ...rest } = entry;
  return {
    ...rest,
    synonyms: includeSynonyms ? synonyms : [],
    ...(version >= 3 ? { configType, documentation: null } : {}),
  };
}

/** Kafka says nothing more of a topic that is not there. */
function textOf({ errorCode, errorMessage }: Refusal): string | null {
  return errorCode === brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION ? '' : errorMessage;
}

function setForAll(name: string, value: string): ConfigEntry {
  const source = configSource.allBrokers;
  const synonyms = [{ name, value, source }];
  return {
    name,
    value,
    readOnly: false,
    configSource: source,
    isSensitive: false,
    configType: configTypeOf(name),
    synonyms,
  };
}

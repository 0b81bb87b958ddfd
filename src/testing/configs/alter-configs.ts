import type { RequestContext } from '../handler.ts';
import { configProblem, listOf } from '../state/config-rules.ts';
import { isRefusal, refusal, type Refusal } from '../state/topic-plans.ts';
import { findConfigResource, type ConfigResource } from './config-resource.ts';

/** What is to be done with one setting; numbered as Kafka does: 0 to 3. */
const configOperations = ['set', 'delete', 'append', 'subtract'] as const;

/** One change of a setting. */
export interface ConfigChange {
  readonly name: string;
  readonly operation: number;
  readonly value: string | null;
}

/** A resource and what is to change of it. */
export interface ResourceChange {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly changes: readonly ConfigChange[];
  /** Whether what is not named goes back to its default. */
  readonly replacesAll: boolean;
}

/** Changes the settings of one resource, all or none; `validateOnly` changes nothing. */
export function alterResource(
  change: ResourceChange,
  validateOnly: boolean,
  context: RequestContext,
): Refusal | undefined {
  const resource = findConfigResource(change.resourceType, change.resourceName, context);
  if (isRefusal(resource)) return resource;
  const names = change.changes.map(({ name }) => name);
  if (new Set(names).size < names.length) return refusal('INVALID_REQUEST', 'A setting is named more than once');
  const changed = new Map(change.replacesAll ? [] : resource.configs);
  for (const each of change.changes) {
    const refused = applyChange(each, resource, changed);
    if (refused !== undefined) return refused;
  }
  if (!validateOnly) resource.save(changed);
  return undefined;
}

function applyChange(
  change: ConfigChange,
  resource: ConfigResource,
  changed: Map<string, string>,
): Refusal | undefined {
  const { name } = change;
  const operation = configOperations[change.operation];
  if (operation === undefined) return refusal('UNKNOWN_SERVER_ERROR', null);
  const row = resource.definitions.get(name);
  if (operation === 'delete') {
    changed.delete(name);
    return undefined;
  }
  if (change.value === null) return refusal('INVALID_REQUEST', `The setting ${name} has no value`);
  if (row === undefined && resource.takesOthers) {
    changed.set(name, change.value);
    return undefined;
  }
  if (row === undefined) return refusal('INVALID_CONFIG', `There is no setting ${name}`);
  if (row[3] === 'read-only') return refusal('INVALID_REQUEST', `${name} cannot change while the broker runs`);
  const [, type, defaultValue] = row;
  if (operation !== 'set' && type !== 'list') return refusal('INVALID_CONFIG', `${name} is not a list`);
  const before = listOf(changed.get(name) ?? defaultValue ?? '');
  const value = combine(operation, before, change.value);
  const problem = configProblem(row, value) ?? resource.problem?.(name, value);
  if (problem !== undefined) return refusal('INVALID_CONFIG', problem);
  changed.set(name, value);
  return undefined;
}

function combine(operation: 'set' | 'append' | 'subtract', before: readonly string[], value: string): string {
  if (operation === 'set') return value;
  const items = listOf(value);
  if (operation === 'subtract') return before.filter((item) => !items.includes(item)).join(',');
  return [...before, ...items.filter((item) => !before.includes(item))].join(',');
}

/** Refuses every resource that is named more than once. */
export function repeatedResources(
  resources: readonly { readonly resourceType: number; readonly resourceName: string }[],
): (resource: { readonly resourceType: number; readonly resourceName: string }) => Refusal | undefined {
  const times = new Map<string, number>();
  const keyOf = (each: { readonly resourceType: number; readonly resourceName: string }): string =>
    `${each.resourceType} ${each.resourceName}`;
  for (const resource of resources) times.set(keyOf(resource), (times.get(keyOf(resource)) ?? 0) + 1);
  return (resource) =>
    (times.get(keyOf(resource)) ?? 0) > 1 ? refusal('INVALID_REQUEST', 'It is named more than once') : undefined;
}

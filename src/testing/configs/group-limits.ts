import type { ClusterState } from '../state/cluster-state.ts';

/** What is wrong with a setting of a group by the limits that the brokers set for all groups; undefined if nothing. */
export function groupLimitProblem(cluster: ClusterState, name: string, value: string): string | undefined {
  const dot = name.indexOf('.');
  const limit = (which: 'min' | 'max'): string =>
    cluster.brokerConfig(`group.${name.slice(0, dot)}.${which}.${name.slice(dot + 1)}`);
  const [min, max] = [limit('min'), limit('max')];
  if (min !== '' && Number(value) < Number(min)) return `${value} of ${name} is less than ${min}`;
  if (max !== '' && Number(value) > Number(max)) return `${value} of ${name} is more than ${max}`;
  return undefined;
}

/** What is wrong with the name of a topic, by Kafka's rules; undefined if nothing. */
export function topicNameProblem(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name === '.' || name === '..') return 'it stands for a folder';
  if (name.length > 249) return `it has ${name.length} characters, more than 249`;
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) return 'only ASCII letters, digits, ".", "_" and "-" are allowed';
  return undefined;
}

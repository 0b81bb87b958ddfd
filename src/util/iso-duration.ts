const unitsMs = [86_400_000, 3_600_000, 60_000, 1000];
const shape = /^P(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d{1,9})?)S)?)?$/i;

/** The milliseconds of a duration of ISO 8601 of days, hours, minutes and seconds, such as `PT1H`; undefined if it is none. */
export function parseIsoDurationMs(text: string): number | undefined {
  const parts = shape.exec(text)?.slice(1);
  if (parts === undefined || parts.every((part) => part === undefined)) return undefined;
  return parts.reduce((sum, part = '0', index) => sum + Number(part.replace(',', '.')) * (unitsMs[index] ?? 0), 0);
}

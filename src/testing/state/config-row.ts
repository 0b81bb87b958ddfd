/** How the text of a setting is understood. */
export type ConfigType = 'boolean' | 'string' | 'int' | 'short' | 'long' | 'double' | 'list' | 'class' | 'password';

/** A setting of Kafka: its name, type and default, and one word more that its table explains. */
export type ConfigRow = readonly [name: string, type: ConfigType, defaultValue: string | null, more: string | null];

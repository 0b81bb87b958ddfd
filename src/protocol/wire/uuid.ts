/** The uuid that stands for "none", as Kafka writes it. */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';

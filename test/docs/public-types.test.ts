import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import ts from 'typescript';
import { repository } from './snippets.ts';

/** The names that a module exports as types only, in order. */
function typesOf(program: ts.Program, path: string): string[] {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(join(repository, path));
  const module = source && checker.getSymbolAtLocation(source);
  assert.ok(module !== undefined, `${path} is no module`);
  const types = checker.getExportsOfModule(module).filter((symbol) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return (target.flags & ts.SymbolFlags.Value) === 0 || symbol.declarations?.some(isTypeExport) === true;
  });
  return types.map((symbol) => symbol.name).sort();
}

function isTypeExport(declaration: ts.Declaration): boolean {
  return ts.isExportSpecifier(declaration) && (declaration.isTypeOnly || declaration.parent.parent.isTypeOnly);
}

describe('public types', () => {
  let program: ts.Program;
  before(() => {
    const config = ts.readConfigFile(join(repository, 'tsconfig.json'), (path) => ts.sys.readFile(path));
    const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, repository);
    const entries = ['src/index.ts', 'src/protocol/index.ts', 'src/testing/index.ts'].map((path) =>
      join(repository, path),
    );
    program = ts.createProgram(entries, options);
  });

  it('of kavka are these and no others', () => {
    assert.deepEqual(typesOf(program, 'src/index.ts'), [
      'ActiveProducer',
      'AdminOptions',
      'AlterConfigsOptions',
      'AssignablePartition',
      'AssignmentInfo',
      'AutoOffsetReset',
      'BatchRead',
      'Broker',
      'BrokerErrorCode',
      'BrokerErrorName',
      'BuiltInPartitioner',
      'CallOptions',
      'ClientErrorCode',
      'ClientEventName',
      'ClientEvents',
      'ClientOptions',
      'Clock',
      'CloseOptions',
      'ClusterDescription',
      'Committable',
      'CommittedOffset',
      'CompressionName',
      'ConfigChanges',
      'ConfigDescription',
      'ConfigEntry',
      'ConfigResource',
      'ConfigResourceType',
      'ConfigSource',
      'ConfigValueType',
      'ConnectionEvent',
      'ConsumerBatch',
      'ConsumerGroupMetadata',
      'ConsumerOptions',
      'ConsumerRecord',
      'ConsumerTopics',
      'CreatePartitionsOptions',
      'CreateTopicsOptions',
      'CreatedTopic',
      'DefaultPartitionerOptions',
      'DeleteTopicsOptions',
      'DeletedRecords',
      'DeletedTopic',
      'DescribeConfigsOptions',
      'DeserializationDecision',
      'DeserializationErrorPolicy',
      'DeserializationFailure',
      'Deserializer',
      'ErrorCode',
      'FencedProducer',
      'ForwardedRecord',
      'GroupDescription',
      'GroupListing',
      'GroupMember',
      'GroupOffset',
      'GroupProtocol',
      'HandlerContext',
      'HandlerErrorDecision',
      'HandlerFailure',
      'HangingTransaction',
      'HeaderValue',
      'HeadersInput',
      'Int64Input',
      'IsolationLevel',
      'ItemsAnswer',
      'KafkaErrorDetails',
      'ListGroupOffsetsOptions',
      'ListGroupsOptions',
      'ListOffsetsOptions',
      'ListTopicsOptions',
      'ListTransactionsOptions',
      'ListedOffset',
      'Logger',
      'LongLike',
      'MemberAssignment',
      'MemberSubscription',
      'NewGroupOffset',
      'NewPartitions',
      'NewTopic',
      'OffsetAndMetadata',
      'OffsetForTime',
      'OffsetQuery',
      'OffsetResetByDuration',
      'OffsetSpec',
      'OffsetToSend',
      'OffsetsToSend',
      'OnDelivery',
      'PartitionAssignor',
      'PartitionAssignorName',
      'PartitionEnd',
      'PartitionLag',
      'PartitionMetadata',
      'PartitionOffset',
      'PartitionProducers',
      'Partitioner',
      'PartitionerInput',
      'Partitions',
      'PollOptions',
      'PollResult',
      'ProducerInterceptor',
      'ProducerOptions',
      'ProducerRecord',
      'ProducerTopics',
      'ProducerWritableOptions',
      'Re2Pattern',
      'ReadKey',
      'ReadValue',
      'RebalanceListener',
      'RebalanceProtocol',
      'RecordHeaderEntry',
      'RecordMetadata',
      'RecordRead',
      'RecordStream',
      'RecordsOptions',
      'RecordsToDelete',
      'RequestEvent',
      'RunOptions',
      'SaslAuthenticator',
      'SaslContext',
      'SaslConversation',
      'SaslCustomOptions',
      'SaslOptions',
      'SaslPasswordOptions',
      'SchemaIssue',
      'SchemaResult',
      'SendOutcome',
      'SendResult',
      'SentKey',
      'SentValue',
      'Serde',
      'SerdeContext',
      'Serialized',
      'Serializer',
      'Settled',
      'SettledItem',
      'StandardSchema',
      'StreamOptions',
      'TimerHandle',
      'TimestampType',
      'TlsMaterial',
      'TlsOptions',
      'TopicConsumerBatch',
      'TopicConsumerRecord',
      'TopicDefinition',
      'TopicDescription',
      'TopicListing',
      'TopicPartition',
      'TopicRecord',
      'TopicSelector',
      'TransactionDescription',
      'TransactionListing',
      'TransactionScope',
      'TransactionWaitOptions',
      'TypedConsumerOptions',
      'TypedProducerOptions',
    ]);
  });

  it('of kavka/protocol are those of all messages, these, and no others', () => {
    const messages = typesOf(program, 'src/protocol/generated/messages.ts');
    const types = typesOf(program, 'src/protocol/index.ts');
    assert.ok(messages.length > 500);
    assert.deepEqual(
      messages.filter((name) => !types.includes(name)),
      [],
    );
    const others = types.filter((name) => !messages.includes(name));
    assert.deepEqual(others, [
      'AnyApi',
      'Api',
      'BatchBuilderOptions',
      'BatchHeader',
      'BrokerErrorCode',
      'BrokerErrorName',
      'Checksum',
      'CloseOptions',
      'CompressionName',
      'ControlType',
      'DataSchema',
      'Input',
      'ProducerStamp',
      'ReadBatchesOptions',
      'ReadRecordHeader',
      'RecordHeader',
    ]);
  });

  it('of kavka/testing are these and no others', () => {
    assert.deepEqual(typesOf(program, 'src/testing/index.ts'), [
      'AnswerFunction',
      'ApiLike',
      'ApiName',
      'ApiSelector',
      'AppendRecordsOptions',
      'AppendedRecord',
      'CoordinatorType',
      'Fault',
      'FaultMoment',
      'GroupCondition',
      'InterceptFilter',
      'KafkaVersion',
      'ListenerName',
      'LoggedRequest',
      'NetworkSide',
      'ProcessState',
      'ReadRecordsOptions',
      'RecordsCondition',
      'RequestFilter',
      'RequestOf',
      'RequestOutcome',
      'ResponseOf',
      'SelectedApi',
      'TestBroker',
      'TestClusterAuthorizer',
      'TestClusterOptions',
      'TestClusterSasl',
      'TestClusterSecurity',
      'TestClusterTls',
      'TestPartition',
      'TestRecord',
      'TestRecordInput',
      'TestRequest',
      'TestSaslMechanism',
      'TestTopic',
      'WaitOptions',
    ]);
  });
});

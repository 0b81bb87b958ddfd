"""One round of librdkafka, through Python's binding: takes a job as JSON, prints a measurement as JSON, like benchmarks/workload.ts."""

import json
import os
import sys
import threading
import time

import confluent_kafka
from confluent_kafka import Consumer, Producer

SINGLES_IN_FLIGHT = 10_000
BULK_LISTS_UNDER_WAY = 64
MAX_RECORD_BYTES = 4 << 20


def memory_mb(field):
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0


def cpu_seconds():
    times = os.times()
    return times.user + times.system


def connection(job):
    target = job["target"]
    config = {"bootstrap.servers": target["bootstrap"], "client.id": "bench"}
    if target.get("caFile"):
        config |= {"security.protocol": "ssl", "ssl.ca.location": target["caFile"]}
    return config


def read_pool(job):
    pool = job["pool"]
    with open(pool["path"], "rb") as file:
        return [
            [(file.read(pool["keyBytes"]), file.read(pool["valueBytes"])) for _ in range(pool["listSize"])]
            for _ in range(pool["lists"])
        ]


PRODUCE_OPTIONS = "enable.idempotence, acks=all, linger.ms=0, batch.size=1 MB, murmur2_random, a delivery callback for each record"


def open_producer(job):
    return Producer(
        connection(job)
        | {
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 0,
            "batch.size": 1_000_000,
            "message.max.bytes": MAX_RECORD_BYTES,
            "batch.num.messages": 100_000,
            "queue.buffering.max.messages": 1_000_000,
            "partitioner": "murmur2_random",
            "compression.type": job["target"]["compression"],
        }
    )


class Progress:
    """What was acknowledged, counted in the thread that polls."""

    def __init__(self):
        self.acknowledged = 0

    def delivered(self, error, _message):
        if error is not None:
            raise RuntimeError(error)
        self.acknowledged += 1


def measure_producing(job, options, work):
    progress = Progress()
    over = threading.Event()
    worker = threading.Thread(target=work, args=(over, progress))
    worker.start()
    time.sleep(job["warmUpMs"] / 1000)
    begin = (time.perf_counter(), cpu_seconds(), progress.acknowledged)
    time.sleep(job["measureMs"] / 1000)
    end = (time.perf_counter(), cpu_seconds(), progress.acknowledged)
    over.set()
    resident, peak = memory_mb("VmRSS"), memory_mb("VmHWM")
    worker.join()
    records = end[2] - begin[2]
    return {
        "recordsPerSecond": records / (end[0] - begin[0]),
        "cpuMicrosPerRecord": (end[1] - begin[1]) * 1e6 / records,
        "residentMb": resident,
        "peakMb": peak,
        "total": progress.acknowledged,
        "passes": 1,
        "options": options,
    }


def produce_outstanding(job, limit):
    producer = open_producer(job)
    records = [record for entries in read_pool(job) for record in entries]
    topic = job["target"]["topic"]

    def work(over, progress):
        sent = 0
        delivered = progress.delivered
        while not over.is_set():
            for key, value in records:
                producer.produce(topic, value, key, on_delivery=delivered)
                sent += 1
                if sent % 500 == 0:
                    producer.poll(0)
                    while sent - progress.acknowledged > limit:
                        producer.poll(0.001)
                    if over.is_set():
                        break
        producer.flush()

    return measure_producing(job, f"{PRODUCE_OPTIONS}; {limit} records outstanding", work)


def bulk(job):
    pool = job["pool"]
    list_bytes = pool["listSize"] * (pool["keyBytes"] + pool["valueBytes"])
    lists = BULK_LISTS_UNDER_WAY if list_bytes <= 400_000 else max(8, 24_000_000 // list_bytes)
    return produce_outstanding(job, lists * pool["listSize"])


def singles(job):
    return produce_outstanding(job, SINGLES_IN_FLIGHT)


def awaited(job):
    producer = open_producer(job)
    records = [record for entries in read_pool(job) for record in entries]
    topic = job["target"]["topic"]
    times = []
    begin = time.perf_counter()

    def work(over, progress):
        turn = 0
        while not over.is_set():
            key, value = records[turn % len(records)]
            turn += 1
            start = time.perf_counter()
            producer.produce(topic, value, key, on_delivery=progress.delivered)
            while progress.acknowledged < turn:
                producer.poll(1)
            if start - begin > job["warmUpMs"] / 1000:
                times.append((time.perf_counter() - start) * 1000)

    result = measure_producing(job, PRODUCE_OPTIONS, work)
    times.sort()
    result["latencyMs"] = {
        name: times[min(len(times) - 1, int(len(times) * q))] for name, q in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
    }
    return result


def read_all(job, number):
    consumer = Consumer(
        connection(job) | {"group.id": f"{job['groupPrefix']}-{number}", "auto.offset.reset": "earliest", "message.max.bytes": MAX_RECORD_BYTES}
    )
    consumer.subscribe([job["target"]["topic"]])
    records = value_bytes = 0
    first = None
    while records < job["records"]:
        messages = consumer.consume(10_000, 0.1)
        for message in messages:
            if message.error() is not None:
                raise RuntimeError(message.error())
            value_bytes += len(message.value())
        records += len(messages)
        if first is None and records > 0:
            first = (time.perf_counter(), cpu_seconds(), records)
    last = (time.perf_counter(), cpu_seconds(), records)
    consumer.close()
    if records != job["records"] or value_bytes != records * job["pool"]["valueBytes"]:
        raise RuntimeError(f"librdkafka read {records} records of {value_bytes} bytes instead of {job['records']}")
    return first, last


def consume(job):
    read_all(job, 0)
    seconds = cpu = passes = 0
    begin = time.perf_counter()
    while seconds * 1000 < job["measureMs"] and (time.perf_counter() - begin) * 1000 < 4 * job["measureMs"]:
        passes += 1
        first, last = read_all(job, passes)
        share = last[2] / max(1, last[2] - first[2])
        seconds += (last[0] - first[0]) * share
        cpu += (last[1] - first[1]) * share
    records = job["records"] * passes
    return {
        "recordsPerSecond": records / seconds,
        "cpuMicrosPerRecord": cpu * 1e6 / records,
        "residentMb": memory_mb("VmRSS"),
        "peakMb": memory_mb("VmHWM"),
        "total": job["records"] * (passes + 1),
        "passes": passes,
        "options": "defaults, consume(10,000), each value read",
    }


def main():
    job = json.loads(sys.argv[1])
    work = {"bulk": bulk, "singles": singles, "awaited": awaited, "consume": consume}[job["workload"]]
    result = work(job)
    result["options"] += f" (librdkafka {confluent_kafka.libversion()[0]}, Python {sys.version.split()[0]})"
    print(json.dumps(result))


main()

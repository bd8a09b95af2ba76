import { parentPort } from 'node:worker_threads'
import { examineFrames } from './examine.ts'
import type { ExaminationOrder, ExaminationReport } from './examiner.ts'

parentPort?.on('message', ({ id, bytes, lengths, keys }: ExaminationOrder) => {
  let at = 0
  const frames = lengths.map((length) => {
    at += length
    return bytes.subarray(at - length, at)
  })
  const report: ExaminationReport = { id, ...examineFrames(frames, keys) }
  parentPort?.postMessage(report, [report.bytes.buffer as ArrayBuffer])
})

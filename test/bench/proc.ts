/** What Linux knows of other processes. */
import { readFile } from 'node:fs/promises'
import { loadavg } from 'node:os'

/** Of the last minute: how much else the machine had to do. */
export function loadAverage(): string {
  const [minute = 0] = loadavg()
  return minute.toFixed(1)
}

/** CPU seconds of a process, all its threads, user and system, those that ended included; ticks of 10 ms. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The name of the program, in brackets, may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** The most memory a process ever held resident, in bytes. */
export async function peakBytesOf(pid: number): Promise<number> {
  return await statusBytes(pid, 'VmHWM')
}

/** The memory a process holds resident, in bytes. */
export async function residentBytesOf(pid: number): Promise<number> {
  return await statusBytes(pid, 'VmRSS')
}

/** The part of it that is the process's own, without the files that it maps, which the system takes back when memory is short. */
export async function anonymousBytesOf(pid: number): Promise<number> {
  return await statusBytes(pid, 'RssAnon')
}

async function statusBytes(pid: number, field: 'VmHWM' | 'VmRSS' | 'RssAnon'): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]
  if (kib === undefined) throw new Error(`process ${pid} has no ${field}`)
  return Number(kib) * 1024
}

#!/usr/bin/env bash
# Hadoop's own commands on a running HDFS of hdfs-start.sh, for tests and for reading files back:
#   hdfs-admin.sh DATA dfs -ls -R /          hdfs-admin.sh DATA dfs -text /lake/a.gz
#   hdfs-admin.sh DATA dfsadmin -safemode enter        … dfsadmin -setSpaceQuota 1m /lake
#   hdfs-admin.sh DATA haadmin -failover nn1 nn2       … fsck / -files
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: hdfs-admin.sh DATA dfs|dfsadmin|haadmin|fsck ARGUMENT..." >&2; exit 2; }
DATA=$(cd "$1" && pwd)
. "$(dirname "$0")/hdfs-lib.sh"
java_settings
case $2 in
  dfs) class=org.apache.hadoop.fs.FsShell ;;
  dfsadmin) class=org.apache.hadoop.hdfs.tools.DFSAdmin ;;
  haadmin) class=org.apache.hadoop.hdfs.tools.DFSHAAdmin ;;
  fsck) class=org.apache.hadoop.hdfs.tools.DFSck ;;
  *) die "no such command: $2" ;;
esac
shift 2
exec "$JAVA" -Xmx128m -Dlog4j.configuration="file:$DATA/conf/quiet.properties" "${JVM[@]}" $class "$@"

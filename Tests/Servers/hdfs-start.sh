#!/usr/bin/env bash
# Starts a real HDFS (Apache Hadoop 2.7.3: NameNode, DataNode, WebHDFS) on 127.0.0.1 and waits until it
# takes files. The first start installs Java and downloads the jars (minutes); later ones take seconds.
#   hdfs-start.sh DATA [DAEMON...]     DAEMON: nn1, nn2 or dn, to start again one that was stopped
# Settings, from the environment at the first start, then from DATA/settings:
#   PORT=19870   NameNode http; the others follow: +1 second NameNode, +2 DataNode, +3 … +9 internal
#   HA=1         two NameNodes, the first one active
#   TLS=1        https on PORT+10 (NameNodes: +10, +11; DataNode: +12); authority in DATA/conf/ca.pem
#   PROPERTIES="name=value …"   more of hdfs-site.xml
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: hdfs-start.sh DATA [DAEMON...]" >&2; exit 2; }
mkdir -p "$1"
DATA=$(cd "$1" && pwd)
shift
. "$(dirname "$0")/hdfs-lib.sh"
case $DATA in *[![:alnum:]/._-]*) die "DATA: letters, digits, / . _ - only" ;; esac
if [ -f "$DATA/settings" ]; then . "$DATA/settings"; fi
PORT=${PORT:-19870} HA=${HA:-0} TLS=${TLS:-0} PROPERTIES=${PROPERTIES:-}
printf '%s=%q\n' PORT "$PORT" HA "$HA" TLS "$TLS" PROPERTIES "$PROPERTIES" >"$DATA/settings"
install_hadoop
mkdir -p "$DATA/conf" "$DATA/tmp"
java_settings
names=(nn1)
[ "$HA" = 1 ] && names+=(nn2)

property() { printf '<property><name>%s</name><value>%s</value></property>\n' "$1" "$2"; }
write_configuration() {
  local file_system=hdfs://127.0.0.1:$((PORT + 3)) suffix= pair i=0 name
  [ "$HA" = 1 ] && file_system=hdfs://lake
  {
    echo '<configuration>'
    property fs.defaultFS "$file_system"
    property hadoop.tmp.dir "$DATA/tmp"
    property hadoop.ssl.enabled.protocols TLSv1.2
    echo '</configuration>'
  } >"$DATA/conf/core-site.xml"
  {
    echo '<configuration>'
    property dfs.replication 1
    property dfs.namenode.safemode.extension 0
    property dfs.heartbeat.interval 1
    # A killed DataNode is noticed after 12 s instead of 10 minutes.
    property dfs.namenode.heartbeat.recheck-interval 1000
    property dfs.datanode.data.dir "file://$DATA/data"
    property dfs.datanode.hostname 127.0.0.1
    property dfs.datanode.http.address "127.0.0.1:$((PORT + 2))"
    property dfs.datanode.address "127.0.0.1:$((PORT + 5))"
    property dfs.datanode.ipc.address "127.0.0.1:$((PORT + 6))"
    if [ "$HA" = 1 ]; then
      property dfs.nameservices lake
      property dfs.ha.namenodes.lake nn1,nn2
      property dfs.namenode.shared.edits.dir "file://$DATA/shared"
      property dfs.client.failover.proxy.provider.lake \
        org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider
      property dfs.ha.fencing.methods 'shell(/bin/true)'
      property dfs.ha.tail-edits.period 1
    fi
    for name in "${names[@]}"; do
      [ "$HA" = 1 ] && suffix=.lake.$name
      property "dfs.namenode.rpc-address$suffix" "127.0.0.1:$((PORT + 3 + i))"
      property "dfs.namenode.http-address$suffix" "127.0.0.1:$((PORT + i))"
      property "dfs.namenode.https-address$suffix" "127.0.0.1:$((PORT + 10 + i))"
      property "dfs.namenode.name.dir$suffix" "file://$DATA/name-$name"
      i=$((i + 1))
    done
    if [ "$TLS" = 1 ]; then
      property dfs.http.policy HTTP_AND_HTTPS
      property dfs.datanode.https.address "127.0.0.1:$((PORT + 12))"
    fi
    for pair in $PROPERTIES; do property "${pair%%=*}" "${pair#*=}"; done
    echo '</configuration>'
  } >"$DATA/conf/hdfs-site.xml"
  printf '%s\n' 'log4j.rootLogger=INFO,c' 'log4j.appender.c=org.apache.log4j.ConsoleAppender' \
    'log4j.appender.c.target=System.err' 'log4j.appender.c.layout=org.apache.log4j.PatternLayout' \
    'log4j.appender.c.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n' >"$DATA/conf/log4j.properties"
  echo 'log4j.rootLogger=OFF' >"$DATA/conf/quiet.properties"
  echo "127.0.0.1 localhost $(hostname)" >"$DATA/conf/hosts"
}

make_certificate() {
  [ "$TLS" = 1 ] && [ ! -f "$DATA/conf/keys.p12" ] || return 0
  local keytool
  keytool=$(dirname "$JAVA")/keytool
  "$keytool" -genkeypair -alias hdfs -keyalg RSA -keysize 2048 -validity 3650 -dname CN=localhost \
    -ext san=dns:localhost,ip:127.0.0.1 -storetype PKCS12 -keystore "$DATA/conf/keys.p12" -storepass changeit 2>/dev/null
  "$keytool" -exportcert -rfc -alias hdfs -keystore "$DATA/conf/keys.p12" -storepass changeit \
    >"$DATA/conf/ca.pem" 2>/dev/null
  {
    echo '<configuration>'
    property ssl.server.keystore.location "$DATA/conf/keys.p12"
    property ssl.server.keystore.type pkcs12
    property ssl.server.keystore.password changeit
    property ssl.server.keystore.keypassword changeit
    echo '</configuration>'
  } >"$DATA/conf/ssl-server.xml"
}

NAMENODE=org.apache.hadoop.hdfs.server.namenode.NameNode
start() {
  case $1 in
    nn1 | nn2)
      local which=()
      [ "$HA" = 1 ] && which=(-D "dfs.ha.namenode.id=$1")
      launch "$1" "$JAVA" -Xmx128m "${JVM[@]}" $NAMENODE "${which[@]}"
      ;;
    dn) launch dn "$JAVA" -Xmx128m "${JVM[@]}" org.apache.hadoop.hdfs.server.datanode.DataNode ;;
    *) die "no such daemon: $1" ;;
  esac
}
format() { # NAME OPTION
  [ -d "$DATA/name-$1/current" ] && return 0
  local which=()
  [ "$HA" = 1 ] && which=(-D "dfs.ha.namenode.id=$1")
  "$JAVA" -Xmx128m "${JVM[@]}" $NAMENODE "${which[@]}" "$2" -nonInteractive >"$DATA/format.log" 2>&1 ||
    { tail -20 "$DATA/format.log" >&2; die "$2 failed"; }
}
figure() { curl -s --max-time 5 "http://127.0.0.1:$1/jmx?qry=Hadoop:service=NameNode,name=$2"; }
has_datanode() {
  local figures
  figures=$(figure "$1" FSNamesystemState)
  grep -q '"NumLiveDataNodes" : 1' <<<"$figures" && grep -q '"FSState" : "Operational"' <<<"$figures"
}
activate() { "$(dirname "$0")/hdfs-admin.sh" "$DATA" haadmin -transitionToActive nn1; }

write_configuration
make_certificate
if [ $# -gt 0 ]; then
  for name in "$@"; do start "$name"; done
  exit 0
fi
for name in "${names[@]}" dn; do ! runs "$name" || die "$name runs already in $DATA"; done
format nn1 -format
start nn1
start dn
await 60 nn1 answers "http://127.0.0.1:$PORT/jmx"
if [ "$HA" = 1 ]; then
  await 30 nn1 accepts $((PORT + 3))
  format nn2 -bootstrapStandby
  start nn2
  await 60 nn2 answers "http://127.0.0.1:$((PORT + 1))/jmx"
  await 30 nn1 activate
  await 60 nn2 has_datanode $((PORT + 1))
fi
await 60 dn has_datanode "$PORT"
await 30 dn accepts $((PORT + 2))
# The first WebHDFS call starts Jersey, which takes a second.
for i in "${!names[@]}"; do
  curl -s -o "$DATA/first.json" --max-time 30 "http://127.0.0.1:$((PORT + i))/webhdfs/v1/?op=GETFILESTATUS"
done
say "http://127.0.0.1:$PORT/webhdfs/v1/, superuser $(id -un)"

# Sourced by hdfs-start.sh, hdfs-stop.sh and hdfs-admin.sh: where Hadoop comes from and how Java runs it.
# Debian has no Hadoop, but the source distribution of pyspark 2.4.8 on PyPI holds the jars of Hadoop
# 2.7.3; Jersey 1, which WebHDFS needs, is in four small Debian packages.
. "$(dirname "${BASH_SOURCE[0]}")/server-lib.sh"

CACHE=${WEIR_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/weir-test}/hadoop-2.7.3
PYSPARK=2.4.8
PYSPARK_SHA256=3a19b71b8dc8dd91ebc943604a05e1ab01bce052456d42937035632d852d78dc
JERSEY_PACKAGES=(libjersey1-core-java libjersey1-server-java libjersey1-servlet-java libjsr311-api-java)
JERSEY_JARS=(jersey1-core jersey1-server jersey1-servlet jsr311-api)
HADOOP_JARS=(hadoop-annotations-2.7.3 hadoop-auth-2.7.3 hadoop-common-2.7.3 hadoop-hdfs-2.7.3
  commons-cli-1.2 commons-codec-1.10 commons-collections-3.2.2 commons-configuration-1.6
  commons-httpclient-3.1 commons-io-2.4 commons-lang-2.6 commons-logging-1.1.3 commons-math3-3.4.1
  gson-2.2.4 guava-14.0.1 htrace-core-3.1.0-incubating httpclient-4.5.6 httpcore-4.4.10
  jackson-core-asl-1.9.13 jackson-mapper-asl-1.9.13 javax.servlet-api-3.1.0 jaxb-api-2.2.2
  jetty-6.1.26 jetty-util-6.1.26 leveldbjni-all-1.8 log4j-1.2.17 netty-all-4.1.47.Final
  protobuf-java-2.5.0 slf4j-api-1.7.16 slf4j-log4j12-1.7.16 xmlenc-0.52)

install_hadoop() {
  install_packages openjdk-17-jre-headless curl ca-certificates python3-venv
  [ -f "$CACHE/.complete" ] && return 0
  mkdir -p "$CACHE"
  exec 9>"$CACHE.lock"
  flock 9
  [ -f "$CACHE/.complete" ] && return 0
  local work jar members=()
  work=$(mktemp -d "$CACHE.XXXXXX")
  # pip asks the sdist's setup.py for its metadata, which an isolated build of today cannot run.
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" --disable-pip-version-check -q install 'setuptools==68.2.2' 'wheel==0.42.0'
  echo "pyspark==$PYSPARK --hash=sha256:$PYSPARK_SHA256" >"$work/requirements.txt"
  say "downloading pyspark $PYSPARK (220 MB)"
  TMPDIR=$work "$work/venv/bin/pip" --disable-pip-version-check -q download --no-cache-dir --no-deps \
    --no-build-isolation --no-binary :all: --require-hashes -r "$work/requirements.txt" -d "$work/sdist" >&2
  for jar in "${HADOOP_JARS[@]}"; do members+=("pyspark-$PYSPARK/deps/jars/$jar.jar"); done
  mkdir "$work/lib" "$work/packages"
  tar -xzf "$work/sdist/pyspark-$PYSPARK.tar.gz" -C "$work/lib" --strip-components=3 "${members[@]}"
  (
    cd "$work/packages"
    fetch=(apt-get download -qq -o APT::Sandbox::User=root "${JERSEY_PACKAGES[@]}")
    "${fetch[@]}" 2>/dev/null || { update_package_lists && "${fetch[@]}" >&2; }
  )
  for jar in "$work"/packages/*.deb; do dpkg-deb -x "$jar" "$work/packages/root"; done
  for jar in "${JERSEY_JARS[@]}"; do cp -L "$work/packages/root/usr/share/java/$jar.jar" "$work/lib/"; done
  # The daemons want the web folders of the binary distribution; empty ones will do.
  for jar in hdfs datanode; do
    mkdir -p "$work/lib/web/webapps/$jar/WEB-INF"
    echo '<web-app version="2.4" xmlns="http://java.sun.com/xml/ns/j2ee"/>' >"$work/lib/web/webapps/$jar/WEB-INF/web.xml"
  done
  mkdir -p "$work/lib/web/webapps/static"
  touch "$work/lib/.complete"
  rm -rf "$CACHE"
  mv "$work/lib" "$CACHE"
  rm -rf "$work"
  flock -u 9
}

# Sets JAVA and JVM. Names come from one file alone: Hadoop ends when the machine's own name is unknown.
java_settings() {
  JAVA=/usr/lib/jvm/java-17-openjdk-$(dpkg --print-architecture)/bin/java
  CLASSPATH_HADOOP="$DATA/conf:$CACHE/web:$CACHE/*"
  JVM=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Djava.net.preferIPv4Stack=true
    -Dfile.encoding=UTF-8 "-Djdk.net.hosts.file=$DATA/conf/hosts" "-Djava.io.tmpdir=$DATA/tmp"
    -cp "$CLASSPATH_HADOOP")
}
